/** The operations on objects: get, put, delete, list, batch, explain. */

import * as v from "valibot";
import { LIST_KEYS_DEFAULT, LIST_KEYS_MAX } from "../../core/limits.ts";
import { batchSchema } from "./batch-operations.ts";
import {
  BUCKET,
  DELETE_HEADERS,
  GET_HEADERS,
  KEY,
  KEY64,
  KEY64_NEEDED,
  PR,
  PUT_HEADERS,
  query,
  READ_QUERY,
  RETURNBODY,
  TIMEOUT,
  WRITE_QUERY,
} from "./object-parameters.ts";
import { batchResultsSchema, explanationSchema, keyPageSchema, siblingsSchema } from "./object-schemas.ts";
import type { Answer, HeaderName, Operation } from "./operation.ts";
import type { HttpCode } from "./problem.ts";
import { whole } from "./schema.ts";

/** What every answer of the store says. */
const TOLD: readonly HeaderName[] = ["Halo-Replicas"];
const VERSION: readonly HeaderName[] = [...TOLD, "Halo-Context", "ETag"];
const VALUE_MAY_HAVE: readonly HeaderName[] = ["Halo-Meta-*", "Halo-Expires", "Content-Encoding", "Vary", "Accept-Ranges"];

/** Of what is read, it may be true for now alone. */
const NOW: readonly HeaderName[] = ["Cache-Control"];

const VALUE: Answer = {
  description: "The one value, its own bytes.",
  content: { "*/*": null },
  headers: [...VERSION, "Last-Modified"],
  mayHave: VALUE_MAY_HAVE,
};
const SIBLINGS: Answer = {
  description: "Several values that know nothing of each other, in the form that Accept asks for.",
  content: { "multipart/mixed": null, "application/json": siblingsSchema, "application/cbor": null },
  headers: [...VERSION, "Vary"],
  mayHave: ["Content-Encoding"],
};
const WRITTEN: Answer = { description: "It is done.", headers: VERSION };
const GET_ANSWERS: Readonly<Record<number, Answer>> = {
  200: { ...VALUE, headers: [...VERSION, ...NOW, "Last-Modified"] },
  206: {
    description: "The range of the value that was asked for.",
    content: { "*/*": null },
    headers: [...VERSION, ...NOW, "Last-Modified", "Content-Range", "Accept-Ranges"],
    mayHave: ["Halo-Meta-*", "Vary"],
  },
  300: { ...SIBLINGS, headers: [...VERSION, ...NOW, "Vary"] },
  304: { description: "What the client holds is what there is.", headers: [...VERSION, ...NOW], mayHave: ["Vary"] },
};

/** How the store can end any request, a read, and a write. */
const STORE_CODES: readonly HttpCode[] = ["overloaded", "quorum-unreachable", "not-ready", "absence-unknown"];
const READ_CODES: readonly HttpCode[] = [...STORE_CODES, "read-timeout"];
const WRITE_CODES: readonly HttpCode[] = [
  ...STORE_CODES,
  ...["bad-context", "bad-header", "precondition-failed", "stale-request", "clock-skew"] as const,
  ...["too-many-siblings", "read-timeout", "write-unknown"] as const,
  ...["disk-full", "hints-full", "memory-full", "files-full"] as const,
];
const READ = { role: "read", of: "bucket" } as const;
const WRITE = { role: "write", of: "bucket" } as const;
const LENGTH: readonly HttpCode[] = ["length-required"];

const PUT_BODY = { type: "*/*", schema: null, example: "two books", description: "The value, any bytes." } as const;
const objects = { group: "objects", isOfMember: false, body: null } as const;

const get = {
  ...objects,
  method: "GET",
  need: READ,
  answers: GET_ANSWERS,
  codes: ["not-found", "bad-range", "precondition-failed", ...READ_CODES],
} as const;
const put = {
  ...objects,
  method: "PUT",
  need: WRITE,
  body: PUT_BODY,
  answers: { 200: { ...VALUE, description: "With returnbody: the value." }, 204: WRITTEN, 300: SIBLINGS },
  codes: [...WRITE_CODES, ...LENGTH],
} as const;
const remove = {
  ...objects,
  method: "DELETE",
  need: WRITE,
  answers: { 204: { ...WRITTEN, description: "It is gone, or was not there.", headers: TOLD, mayHave: ["Halo-Context", "ETag"] } },
  codes: WRITE_CODES,
} as const;
const BY_KEY64: readonly HttpCode[] = ["bad-key", "key-too-long"];

const explain = {
  ...objects,
  method: "GET",
  need: READ,
  isOfMember: true,
  answers: { 200: { description: "Where it lives.", content: { "application/json": explanationSchema }, headers: NOW } },
} as const;

export const OBJECT_OPERATIONS = [
  {
    ...get,
    id: "getObject",
    path: "/kv/{bucket}/{key}",
    summary: "Get an object",
    parameters: [BUCKET, KEY, ...READ_QUERY, ...GET_HEADERS],
  },
  {
    ...put,
    id: "putObject",
    path: "/kv/{bucket}/{key}",
    summary: "Put an object",
    parameters: [BUCKET, KEY, ...WRITE_QUERY, RETURNBODY, ...PUT_HEADERS],
  },
  {
    ...remove,
    id: "deleteObject",
    path: "/kv/{bucket}/{key}",
    summary: "Delete an object",
    parameters: [BUCKET, KEY, ...WRITE_QUERY, ...DELETE_HEADERS],
  },
  {
    ...get,
    id: "listKeys",
    path: "/kv/{bucket}",
    summary: "List the keys of a bucket, or get the object that key64 names",
    description: "Without key64 a page of keys: bounded work, so a page may be empty and still have a cursor. " +
      "Every key that is there throughout is in one page, whatever is written meanwhile. With key64 as getObject.",
    parameters: [
      BUCKET,
      query("cursor", "Of the page before; absent: the first page.", v.string(), ""),
      query("limit", `Keys at most; ${LIST_KEYS_DEFAULT} unless given.`, whole(1, LIST_KEYS_MAX), "100"),
      query("prefix", "Keys that begin with it.", v.string(), "user-"),
      ...READ_QUERY.map((parameter) => (parameter === PR ? { ...PR, description: `${PR.description} With key64.` } : parameter)),
      KEY64,
      ...GET_HEADERS,
    ],
    answers: {
      ...GET_ANSWERS,
      200: {
        description: "A page of keys; with key64 the value.",
        content: { "application/json": keyPageSchema, "*/*": null },
        headers: [...TOLD, ...NOW],
        mayHave: ["Halo-Context", "ETag", "Last-Modified", ...VALUE_MAY_HAVE],
      },
    },
    codes: [...get.codes, ...BY_KEY64],
  },
  {
    ...put,
    id: "putByKey64",
    path: "/kv/{bucket}",
    summary: "Put the object that key64 names",
    parameters: [BUCKET, KEY64_NEEDED, ...WRITE_QUERY, RETURNBODY, ...PUT_HEADERS],
    codes: [...put.codes, ...BY_KEY64],
  },
  {
    ...remove,
    id: "deleteByKey64",
    path: "/kv/{bucket}",
    summary: "Delete the object that key64 names",
    parameters: [BUCKET, KEY64_NEEDED, ...WRITE_QUERY, ...DELETE_HEADERS],
    codes: [...remove.codes, ...BY_KEY64],
  },
  {
    ...put,
    id: "createObject",
    method: "POST",
    path: "/kv/{bucket}",
    summary: "Put an object under a generated key",
    parameters: [BUCKET, ...WRITE_QUERY, RETURNBODY, ...PUT_HEADERS],
    answers: {
      201: {
        description: "It is stored; with returnbody the value.",
        content: { "*/*": null },
        headers: [...VERSION, "Location"],
        mayHave: ["Last-Modified", ...VALUE_MAY_HAVE],
      },
    },
  },
  {
    ...objects,
    id: "batch",
    method: "POST",
    path: "/batch",
    summary: "Up to a hundred gets, puts and deletes",
    description: "Each is answered as by itself, in the same order, and needs of the token what it needs by itself. " +
      "No transaction: some may be done and others not. A batch that is malformed anywhere is refused whole.",
    need: READ,
    isOfMember: true,
    parameters: [],
    body: {
      type: "application/json",
      schema: batchSchema,
      example: {
        operations: [
          { op: "put", bucket: "cart", key: "user-20", value: "YSBjaGFpcg==", contentType: "text/plain" },
          { op: "get", bucket: "cart", key: "user-18" },
          { op: "delete", bucket: "cart", key64: "dXNlci0xOQ" },
        ],
      },
    },
    answers: { 200: { description: "A result for each.", content: { "application/json": batchResultsSchema }, headers: NOW } },
    codes: [],
  },
  {
    ...explain,
    id: "explain",
    path: "/explain/{bucket}/{key}",
    summary: "Where an object lives, and how its replicas stand",
    parameters: [BUCKET, KEY, TIMEOUT],
    codes: [],
  },
  {
    ...explain,
    id: "explainByKey64",
    path: "/explain/{bucket}",
    summary: "The same of the object that key64 names",
    parameters: [BUCKET, KEY64_NEEDED, TIMEOUT],
    codes: BY_KEY64,
  },
] as const satisfies readonly Operation[];
