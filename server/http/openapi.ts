/**
 * The OpenAPI document: the table of operations (operations.ts) as OpenAPI 3.1 writes it.
 *
 *   schemas      by valibot's own converter; those with a name are components, and references elsewhere
 *   HEAD         what GET answers, without a body
 *   problems     one answer a status, with the codes that it can have
 *
 * Made when it is first asked for, and once.
 */

import { toJsonSchema } from "@valibot/to-json-schema";
import { retryAfterSeconds } from "../coordination/retry-after.ts";
import { bucketPropertiesSchema } from "./bucket-properties.ts";
import { batchSchema } from "./batch-operations.ts";
import {
  bucketSchema,
  clusterSchema,
  layoutSchema,
  planSchema,
  repairsSchema,
  worksSchema,
} from "./cluster-schemas.ts";
import { batchResultsSchema, explanationSchema, keyPageSchema, problemSchema, siblingsSchema } from "./object-schemas.ts";
import {
  type Answer,
  type Body,
  HEADERS,
  type HeaderName,
  type Operation,
  type Parameter,
  problemCodes,
} from "./operation.ts";
import { byPath, OPERATIONS } from "./operations.ts";
import { type HttpCode, statusOf } from "./problem.ts";
import type { Schema } from "./schema.ts";

export type Json = Readonly<Record<string, unknown>>;

export const API_DESCRIPTION = `An always-on, replicated key-value store. Every node takes every request.

Nothing is overwritten unseen: a write replaces what its \`Halo-Context\` covers and stands beside the rest; a read
answers several such values with status 300. Errors are \`application/problem+json\` with a stable \`code\` and the
\`outcome\`: \`refused\`, nothing was written anywhere, or \`unknown\`, it may have been.

A parameter of the query that a route does not know, one given twice or out of range is 400 \`bad-parameter\`; the
quorums of reads are taken on writes and those of writes on reads, and mean nothing there. A method that a path does not
have is 405 \`method\` with \`Allow\`, a path that is none 404 \`not-found\`. A body of JSON without a
\`Content-Type\` is taken as JSON.

Where the cluster has a secret, all but the open routes need a token: \`Authorization: Bearer halo_…\`.`;

const NAMED: Readonly<Record<string, Schema>> = {
  Problem: problemSchema,
  Siblings: siblingsSchema,
  KeyPage: keyPageSchema,
  Batch: batchSchema,
  BatchResults: batchResultsSchema,
  Explanation: explanationSchema,
  BucketProperties: bucketPropertiesSchema,
  Bucket: bucketSchema,
  Cluster: clusterSchema,
  Layout: layoutSchema,
  Plan: planSchema,
  Repairs: repairsSchema,
  Works: worksSchema,
};

const REFERENCES = new Map<unknown, string>(Object.entries(NAMED).map(([name, schema]) => [schema, name]));

/** A schema as it stands in the document: by reference where it has a name. */
export function jsonSchema(schema: Schema): Json {
  return convert(schema, null);
}

/** @param root what is not to become a reference to itself */
function convert(schema: Schema, root: Schema | null): Json {
  // Safe: the converter looks at schemas, and lets nothing through them.
  const { $schema: _, ...rest } = toJsonSchema(schema as Parameters<typeof toJsonSchema>[0], {
    target: "draft-2020-12",
    typeMode: "output",
    // What is checked by hand is told by metadata beside it.
    ignoreActions: ["check", "raw_check"],
    overrideSchema: ({ valibotSchema }) => {
      if (valibotSchema.type === "custom") return {};
      const name = valibotSchema === root ? undefined : REFERENCES.get(valibotSchema);
      return name === undefined ? undefined : { $ref: `#/components/schemas/${name}` };
    },
  });
  return rest;
}

let document: Json | null = null;

export function openApiDocument(): Json {
  document ??= makeDocument();
  return document;
}

function makeDocument(): Json {
  const parameters = new Map(parameterNames());
  const problems = problemNames();
  const names: Names = { parameters, problems: new Map(problems.map(([codes, name]) => [keyOf(codes), name])) };
  const groups = new Set(OPERATIONS.map(({ group }) => group));
  const paths = [...byPath(OPERATIONS)].map(([path, operations]) => [path, pathItem(operations, names)] as const);
  return {
    openapi: "3.1.1",
    info: {
      title: "halo",
      version: "1",
      summary: "An always-on, replicated key-value store",
      description: API_DESCRIPTION,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    tags: [...groups].map((name) => ({ name })),
    paths: Object.fromEntries(paths),
    components: {
      schemas: mapValues(NAMED, (schema) => convert(schema, schema)),
      parameters: Object.fromEntries([...parameters].map(([parameter, name]) => [name, describeParameter(parameter)])),
      responses: Object.fromEntries(problems.map(([codes, name]) => [name, describeProblem(codes)])),
      securitySchemes: {
        token: {
          type: "http",
          scheme: "bearer",
          description: "Of a role (read, write, admin), for buckets. Where the cluster has no secret nobody is asked.",
        },
      },
    },
  };
}

/** What stands in the document once, by the names that refer to it. */
interface Names {
  readonly parameters: ReadonlyMap<Parameter, string>;
  /** Answers of a status with a set of codes (keyOf). */
  readonly problems: ReadonlyMap<string, string>;
}

/** Each parameter with the name of its component: its own, and a number where several have it. */
function parameterNames(): (readonly [Parameter, string])[] {
  const all = [...new Set(OPERATIONS.flatMap(({ parameters }) => parameters))];
  return all.map((parameter, index) => {
    const name = parameter.name.replace("*", "");
    const before = all.slice(0, index).filter((other) => other.name === parameter.name).length;
    return [parameter, before === 0 ? name : `${name}.${before + 1}`] as const;
  });
}

function pathItem(operations: readonly Operation[], names: Names): Json {
  const item: Record<string, Json> = {};
  for (const operation of operations) {
    item[operation.method.toLowerCase()] = describe(operation, names);
    if (operation.method === "GET") item["head"] = headOf(operation, names);
  }
  return item;
}

function describe(operation: Operation, names: Names): Json {
  const { id, group, summary, description, need, parameters, body } = operation;
  return {
    operationId: id,
    tags: [group],
    summary,
    ...(description === undefined ? {} : { description }),
    security: need === null ? [] : [{ token: [] }],
    ...(need === null ? {} : { "x-role": need.role }),
    ...(parameters.length === 0 ? {} : { parameters: parameters.map((one) => ({ $ref: `#/components/parameters/${names.parameters.get(one)}` })) }),
    ...(body === null ? {} : { requestBody: describeBody(body) }),
    responses: responsesOf(operation, names),
  };
}

/** Ranges are of GET alone. */
const OF_RANGES = ["206", "416"];

/** What GET answers, without its body. */
function headOf(operation: Operation, names: Names): Json {
  const { operationId: _, summary: __, description: ___, responses, ...rest } = describe(operation, names);
  const whole = Object.entries(responses as Record<string, Json>).filter(([status]) => !OF_RANGES.includes(status));
  const bodiless = whole.map(([status, response]) => {
    const { content: _, ...others } = response;
    return [status, others] as const;
  });
  const name = operation.id.replace(/^./, (letter) => letter.toUpperCase());
  return {
    operationId: `head${name}`,
    summary: `${operation.summary}: the head alone`,
    ...rest,
    responses: Object.fromEntries(bodiless),
  };
}

function describeParameter({ name, in: place, description, schema, example, isRequired }: Parameter): Json {
  return {
    name,
    in: place,
    description,
    ...(isRequired ? { required: true } : {}),
    schema: jsonSchema(schema),
    ...(example === "" ? {} : { example: /^\d+$/.test(example) ? Number(example) : example }),
  };
}

function describeBody({ type, schema, example, description }: Body): Json {
  const media = schema === null ? {} : { schema: jsonSchema(schema) };
  return {
    required: true,
    ...(description === undefined ? {} : { description }),
    content: { [type]: { ...media, ...(example === "" ? {} : { example }) } },
  };
}

function responsesOf(operation: Operation, names: Names): Json {
  const told = Object.entries(operation.answers).map(([status, answer]) => [status, describeAnswer(answer)] as const);
  const problems = codesByStatus(operation).map((codes) => {
    const $ref = `#/components/responses/${names.problems.get(keyOf(codes))}`;
    return [String(statusOf(codes[0])), { $ref }] as const;
  });
  return Object.fromEntries([...told, ...problems]);
}

/** What an operation can be refused with: a list of codes for each status. */
export function codesByStatus(operation: Operation): HttpCode[][] {
  const codes = problemCodes(operation);
  const statuses = [...new Set(codes.map(statusOf))].sort((left, right) => left - right);
  return statuses.map((status) => codes.filter((code) => statusOf(code) === status).sort());
}

function keyOf(codes: readonly HttpCode[]): string {
  return codes.join(" ");
}

/** Each set of codes with the name of its component: the status, and a number where it has several. */
function problemNames(): (readonly [HttpCode[], string])[] {
  const all = new Map(OPERATIONS.flatMap(codesByStatus).map((codes) => [keyOf(codes), codes]));
  const counts = new Map<number, number>();
  return [...all.values()].map((codes) => {
    const status = statusOf(codes[0]);
    const count = (counts.get(status) ?? 0) + 1;
    counts.set(status, count);
    return [codes, count === 1 ? `Problem${status}` : `Problem${status}.${count}`] as const;
  });
}

function describeAnswer({ description, content, headers = [], mayHave = [] }: Answer): Json {
  return {
    description,
    ...headersOf([...headers.map((name) => [name, true] as const), ...mayHave.map((name) => [name, false] as const)]),
    ...(content === undefined ? {} : { content: mapValues(content, (schema) => (schema === null ? {} : { schema: jsonSchema(schema) })) }),
  };
}

function headersOf(names: readonly (readonly [HeaderName, boolean])[]): { readonly headers?: Json } {
  if (names.length === 0) return {};
  const entries = names.map(([name, isRequired]) => {
    const required = isRequired ? { required: true } : {};
    return [name, { description: HEADERS[name], ...required, schema: { type: "string" } }] as const;
  });
  return { headers: Object.fromEntries(entries) };
}

function describeProblem(codes: readonly HttpCode[]): Json {
  const schema = {
    allOf: [{ $ref: "#/components/schemas/Problem" }],
    properties: { code: { enum: codes } },
  };
  const isWaiting = codes.includes("rate-limited") || codes.some((code) => retryAfterSeconds(code) > 0);
  const isChallenge = codes.includes("unauthenticated");
  return {
    description: codes.join(", "),
    headers: {
      ...headersOf([["Cache-Control", true]]).headers,
      ...(isChallenge ? { "WWW-Authenticate": { description: "Bearer.", required: true, schema: { type: "string" } } } : {}),
      ...(isWaiting && !isChallenge
        ? { "Retry-After": { description: "Seconds after which another try has a chance.", schema: { type: "integer" } } }
        : {}),
    },
    content: { "application/problem+json": { schema } },
  };
}

function mapValues<From, To>(record: Readonly<Record<string, From>>, map: (value: From) => To): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}
