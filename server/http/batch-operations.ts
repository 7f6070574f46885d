/**
 * The operations of a batch, from JSON to the requests that they stand for: what is a query parameter or a header
 * of such a request is a field of the same meaning here. A value that means nothing as a parameter is left for that
 * request to refuse; what could not be made a request of at all is refused here, and the batch with it.
 */

import * as v from "valibot";
import { decodeBase64, encodeBase64Url } from "./bytes.ts";
import { Refusal } from "./problem.ts";
import { encodeHeaderText } from "./request-headers.ts";
import { fields, isObject, list, readAs, type Voice } from "./schema.ts";
import { excerpt } from "./target.ts";

export const OPERATIONS_MAX = 100;

const METHODS = { get: "GET", put: "PUT", delete: "DELETE" } as const;
/** Fields that are query parameters of the same name, and those that are headers. */
const PARAMETERS = ["r", "w", "dw", "pr", "pw", "timeout", "returnbody"] as const;
const HEADERS = {
  context: "Halo-Context",
  contentType: "Content-Type",
  contentEncoding: "Content-Encoding",
  ttl: "Halo-TTL",
  requestId: "Halo-Request-Id",
  ifMatch: "If-Match",
  ifNoneMatch: "If-None-Match",
} as const;

const PRINTABLE = "printable ASCII characters";
const META_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const META_NAMES = "names of letters, digits and hyphens";
const TEXT = "a text";
const SOME_TEXT = "a text that is not empty";

const parameter = v.exactOptional(v.union([v.string(), v.number(), v.boolean()], "a number or a text"));
const header = v.exactOptional(v.union([v.pipe(v.string(TEXT), v.regex(/^[\x20-\x7e]*$/, PRINTABLE)), v.number()], TEXT));

/** By hand, since a record of the library leaves out names like "constructor". */
const meta = v.pipe(
  v.custom<Record<string, unknown>>(isObject, "an object of texts"),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const input = dataset.value;
    for (const [key, value] of Object.entries(input)) {
      const path = { type: "object", origin: "value", input, key, value } as const;
      if (!META_NAME.test(key)) addIssue({ message: META_NAMES, input: key, path: [path] });
      else if (typeof value !== "string") addIssue({ message: TEXT, input: value, path: [path] });
    }
  }),
  v.metadata({
    type: "object",
    propertyNames: { pattern: META_NAME.source },
    additionalProperties: { type: "string" },
  }),
);

const fieldsOfOperation = fields({
  op: v.picklist(["get", "put", "delete"], "get, put or delete"),
  bucket: v.pipe(v.string(SOME_TEXT), v.minLength(1, SOME_TEXT)),
  key: v.exactOptional(v.pipe(v.string(SOME_TEXT), v.minLength(1, SOME_TEXT))),
  key64: v.exactOptional(v.string(TEXT)),
  value: v.exactOptional(v.pipe(v.string("base64"), v.metadata({ contentEncoding: "base64" }))),
  meta: v.exactOptional(meta),
  r: parameter,
  w: parameter,
  dw: parameter,
  pr: parameter,
  pw: parameter,
  timeout: parameter,
  returnbody: parameter,
  context: header,
  contentType: header,
  contentEncoding: header,
  ttl: header,
  requestId: header,
  ifMatch: header,
  ifNoneMatch: header,
}, '{"op": "get", "bucket": …, "key": …}');

type Fields = v.InferOutput<typeof fieldsOfOperation>;

export const operationSchema = v.pipe(
  fieldsOfOperation,
  v.check(({ key, key64 }) => (key === undefined) !== (key64 === undefined), "has no key or two, want one of key and key64"),
  v.check(({ op, value }) => op === "put" || value === undefined, "has a value, want one for put alone"),
  v.metadata({
    oneOf: [{ required: ["key"] }, { required: ["key64"] }],
    if: { properties: { op: { const: "put" } } },
    then: { required: ["value"] },
    else: { not: { required: ["value"] } },
  }),
);

export const batchSchema = fields({
  operations: list(operationSchema, 1, OPERATIONS_MAX, `a list of 1 to ${OPERATIONS_MAX}`),
});

const WANTED = 'want {"operations": [{"op": "get", …}, …]}';
const VOICE: Voice = {
  whole: `The body is no JSON object, ${WANTED}.`,
  unknown: (name, wanted, place) => {
    if (place === "") return `There is no field '${name}', want operations alone.`;
    return `${place} has a field '${name}', want some of ${wanted}.`;
  },
  absent: "not given",
};

/** One operation as the request that it stands for. */
export interface Operation {
  readonly method: string;
  /** What follows /kv/: the bucket, the key, and the parameters. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer> | null;
}

/** @throws Refusal bad-parameter */
export function readOperations(bytes: Uint8Array): Operation[] {
  const given = parse(bytes);
  checkCount(given);
  const { operations } = readAs(batchSchema, given, VOICE);
  return operations.map((operation, index) => ({
    method: METHODS[operation.op],
    target: targetOf(operation),
    headers: headersOf(operation),
    body: valueOf(operation, `operations[${index}]`),
  }));
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new Refusal("bad-parameter", `The body is no JSON, ${WANTED}.`);
  }
}

/** A list of the wrong length is told by its length, not as it is. @throws Refusal */
function checkCount(given: unknown): void {
  if (typeof given !== "object" || given === null || !("operations" in given)) return;
  const { operations } = given;
  if (Array.isArray(operations) && operations.length >= 1 && operations.length <= OPERATIONS_MAX) return;
  const count = Array.isArray(operations) ? `${operations.length} of them` : "not a list";
  throw new Refusal("bad-parameter", `operations is ${count}, want a list of 1 to ${OPERATIONS_MAX}.`);
}

function targetOf(operation: Fields): string {
  const { bucket, key = "", key64 } = operation;
  // Keys that URLs rewrite (dot segments) go as key64 in any case.
  const encoded = key64 ?? encodeBase64Url(new TextEncoder().encode(key));
  const query = [`key64=${encoded.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`];
  for (const name of PARAMETERS) {
    const value = operation[name];
    if (value !== undefined) query.push(`${name}=${encodeURIComponent(String(value))}`);
  }
  return `${encodeURIComponent(bucket)}?${query.join("&")}`;
}

function headersOf(operation: Fields): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [field, name] of Object.entries(HEADERS)) {
    const value = operation[field as keyof typeof HEADERS];
    if (value !== undefined) headers[name] = String(value);
  }
  for (const [name, value] of Object.entries(operation.meta ?? {})) {
    headers[`Halo-Meta-${name}`] = encodeHeaderText(String(value));
  }
  return headers;
}

function valueOf({ op, value }: Fields, place: string): Uint8Array<ArrayBuffer> | null {
  if (op !== "put") return null;
  const bytes = value === undefined ? null : decodeBase64(value);
  if (bytes !== null) return bytes;
  const given = value === undefined ? "not given" : excerpt(JSON.stringify(value));
  throw new Refusal("bad-parameter", `${place}.value is ${given}, want base64.`);
}
