/**
 * The OpenAPI document as a walk reads it: operations with their parameters, bodies and answers, and a check of any
 * answer against what is said of it. What has been seen is counted, so that at the end it is known what was described
 * and never came.
 *
 * Schemas of answers are tightened: an object may have no field that is not described, though a client should expect
 * that later ones do.
 */

import { Ajv2020 } from "ajv/dist/2020.js";

type Json = Record<string, unknown>;

export interface WalkedParameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly isRequired: boolean;
  readonly example: string | null;
  /** Whether a text is what the schema says. */
  readonly allows: (text: string) => boolean;
}

export interface WalkedOperation {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  /** The role that a token needs; null: none is asked for. */
  readonly role: string | null;
  readonly parameters: readonly WalkedParameter[];
  readonly body: WalkedBody | null;
  /** All codes of its problems, with their status. */
  readonly codes: ReadonlyMap<string, number>;
}

export interface WalkedBody {
  readonly type: string;
  readonly example: unknown;
  readonly allows: ((value: unknown) => boolean) | null;
}

/** Headers that any answer may have and no document describes. */
const UNTOLD = ["content-type", "content-length", "transfer-encoding", "connection", "keep-alive", "date", "allow"];

export class WalkedDocument {
  readonly operations: readonly WalkedOperation[];
  readonly #root: Json;
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false });
  readonly #unseen = new Set<string>();

  constructor(document: Json) {
    this.#root = structuredClone(document);
    tighten(this.#root);
    this.#ajv.addSchema({ $id: "api", ...this.#root });
    this.operations = Object.entries(object(this.#root["paths"])).flatMap(([path, item]) =>
      Object.keys(object(item)).map((method) => this.#read(path, method))
    );
  }

  /** What was described and has not been seen, sorted. */
  get unseen(): string[] {
    return [...this.#unseen].sort();
  }

  operation(id: string): WalkedOperation {
    const found = this.operations.find((one) => one.id === id);
    if (found === undefined) throw new Error(`There is no operation ${id}`);
    return found;
  }

  /** What is wrong with an answer by what the document says; "" where nothing is. */
  async check({ id, method, path }: WalkedOperation, response: Response): Promise<string> {
    const { status, headers } = response;
    const bytes = new Uint8Array(await response.arrayBuffer());
    const told = `paths/${escape(path)}/${method.toLowerCase()}/responses/${status}`;
    const described = this.#at(told);
    if (described === null) return `${id}: ${status} is not described: ${text(bytes).slice(0, 200)}`;
    const where = typeof described["$ref"] === "string" ? described["$ref"].slice(2) : told;
    const answer = this.#at(where) ?? {};
    const wrong = wrongHeaders(answer, headers, status);
    if (wrong !== "") return `${id}: ${status} ${wrong}`;
    if (method === "HEAD") return this.#seen(id, `${status}`);
    const content = object(answer["content"] ?? {});
    const type = (headers.get("content-type") ?? "").split(";")[0].trim();
    if (Object.keys(content).length === 0) {
      if (bytes.length > 0) return `${id}: ${status} has a body, and none is described`;
      return this.#seen(id, `${status}`);
    }
    const media = type in content ? type : "*/*";
    if (!(media in content)) return `${id}: ${status} comes as '${type}', described are ${Object.keys(content).join()}`;
    const isJson = /json$/.test(media);
    const value: unknown = isJson ? JSON.parse(text(bytes)) : text(bytes);
    const validate = this.#schema(`${where}/content/${escape(media)}/schema`);
    if (validate !== null && !validate(value)) {
      return `${id}: ${status} ${JSON.stringify(validate.errors)?.slice(0, 300)}: ${text(bytes).slice(0, 300)}`;
    }
    return this.#seen(id, media === "application/problem+json" ? String(object(value)["code"]) : `${status} ${media}`);
  }

  #seen(id: string, what: string): "" {
    this.#unseen.delete(`${id} ${what}`);
    return "";
  }

  #read(path: string, method: string): WalkedOperation {
    const where = `paths/${escape(path)}/${method}`;
    const { operationId, parameters = [], requestBody, responses, security } = this.#at(where) ?? {};
    const id = String(operationId);
    const role = this.#at(where)?.["x-role"];
    if ((role === undefined) !== (security as unknown[]).length < 1) throw new Error(`${id}: a role and no token, or the reverse`);
    const codes = new Map<string, number>();
    for (const [status, response] of Object.entries(object(responses))) {
      for (const one of this.#describedAnswers(object(response), Number(status), codes, method)) this.#unseen.add(`${id} ${one}`);
    }
    return {
      id,
      method: method.toUpperCase(),
      path,
      role: role === undefined ? null : String(role),
      parameters: (parameters as Json[]).map(({ $ref }) => this.#readParameter(String($ref).slice(2))),
      body: requestBody === undefined ? null : this.#readBody(`${where}/requestBody`, object(requestBody)),
      codes,
    };
  }

  /** Each answer that a response of the document stands for, as it is counted. */
  #describedAnswers(response: Json, status: number, codes: Map<string, number>, method: string): string[] {
    const { $ref } = response;
    if (typeof $ref !== "string") {
      const types = Object.keys(object(response["content"] ?? {}));
      return types.length === 0 ? [`${status}`] : types.map((type) => `${status} ${type}`);
    }
    const media = object(object(this.#at($ref.slice(2))?.["content"])["application/problem+json"]);
    const { enum: all } = object(object(object(media["schema"])["properties"])["code"]);
    for (const code of all as string[]) codes.set(code, status);
    return method === "head" ? [`${status}`] : (all as string[]);
  }

  #readParameter(where: string): WalkedParameter {
    const { name, in: place, required = false, example } = this.#at(where) ?? {};
    const validate = this.#schema(`${where}/schema`);
    return {
      name: String(name),
      in: place as WalkedParameter["in"],
      isRequired: required === true,
      example: example === undefined ? null : String(example),
      allows: (given) => validate?.(/^-?\d+(\.\d+)?$/.test(given) ? Number(given) : given) === true || validate?.(given) === true,
    };
  }

  #readBody(where: string, { content }: Json): WalkedBody {
    const [type, media] = Object.entries(object(content))[0];
    const validate = this.#schema(`${where}/content/${escape(type)}/schema`);
    return { type, example: object(media)["example"] ?? "", allows: validate === null ? null : (value) => validate(value) };
  }

  #schema(pointer: string) {
    return this.#at(pointer) === null ? null : this.#ajv.getSchema<unknown>(`api#/${pointer}`) ?? null;
  }

  #at(pointer: string): Json | null {
    let place: unknown = this.#root;
    for (const part of pointer.split("/")) {
      const name = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
      place = typeof place === "object" && place !== null ? (place as Json)[name] : undefined;
    }
    return typeof place === "object" && place !== null ? (place as Json) : null;
  }
}

function wrongHeaders(answer: Json, headers: Headers, status: number): string {
  const described = new Map(Object.entries(object(answer["headers"] ?? {})).map(([name, one]) => [name.toLowerCase(), object(one)]));
  for (const [name, { required }] of described) {
    if (required === true && !headers.has(name)) return `has no ${name}`;
  }
  for (const name of headers.keys()) {
    const known = name.startsWith("halo-meta-") ? "halo-meta-*" : name;
    if (described.has(known) || UNTOLD.includes(name)) continue;
    // What tells of the store is on its failures as well: it is described where it is relied on.
    if (status >= 400 && ["halo-replicas", "halo-context", "etag", "content-range", "retry-after"].includes(name)) continue;
    return `has ${name}, which is not described`;
  }
  return "";
}

/** No field in an answer that is not described. */
function tighten(place: unknown): void {
  if (typeof place !== "object" || place === null) return;
  const schema = place as Json;
  if (schema["type"] === "object" && "properties" in schema && !("additionalProperties" in schema)) {
    schema["additionalProperties"] = false;
  }
  Object.values(schema).forEach(tighten);
}

function escape(part: string): string {
  return encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"));
}

function object(value: unknown): Json {
  if (typeof value !== "object" || value === null) throw new Error(`no object: ${String(value)}`);
  return value as Json;
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** The path and query of a request by the document's examples. @param more query or path parameters, as they go into the URL */
export function targetOf({ path, parameters }: WalkedOperation, more: Readonly<Record<string, string>> = {}): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => {
    return more[name] ?? encodeURIComponent(parameters.find((one) => one.name === name)?.example ?? "");
  });
  const inPath = new Set(parameters.filter((one) => one.in === "path").map(({ name }) => name));
  const needed = parameters.filter((one) => one.in === "query" && one.isRequired && !(one.name in more));
  const query = [
    ...needed.map(({ name, example }) => `${name}=${example}`),
    ...Object.entries(more).filter(([name]) => !inPath.has(name)).map(([name, value]) => `${name}=${value}`),
  ];
  return query.length === 0 ? filled : `${filled}?${query.join("&")}`;
}

/** The body and its type, by the document's example. */
export function initOf({ body }: WalkedOperation, headers: Record<string, string> = {}): RequestInit {
  if (body === null) return { headers };
  const { type, example } = body;
  const given = typeof example === "string" ? example : JSON.stringify(example);
  const typed = type === "*/*" ? "text/plain" : type;
  return { headers: { "Content-Type": typed, "Content-Length": String(new TextEncoder().encode(given).length), ...headers }, body: given };
}

/** Texts of which some are wrong for most parameters. */
export const WRONG_TEXTS = ["", "0", "-1", "1.5", "nonsense", "99999999999", "%2A%2A", "a b"];
