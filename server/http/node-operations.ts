/** The operations on buckets, the cluster, tokens and the node itself. */

import * as v from "valibot";
import { bucketPropertiesSchema } from "./bucket-properties.ts";
import {
  commitSchema,
  orderSchema,
  pauseSchema,
  repairSchema,
  replaceSchema,
  revertSchema,
  stageSchema,
} from "./cluster-orders.ts";
import {
  bucketListSchema,
  bucketSchema,
  clusterSchema,
  committedSchema,
  givenTokenSchema,
  layoutSchema,
  planSchema,
  readySchema,
  repairsSchema,
  restoredSchema,
  statisticsSchema,
  tokenListSchema,
  worksSchema,
} from "./cluster-schemas.ts";
import { BUCKET } from "./object-parameters.ts";
import type { Answer, Body, Operation } from "./operation.ts";
import type { Schema } from "./schema.ts";
import { tokenSchema } from "./tokens.ts";

const READ = { role: "read", of: "cluster" } as const;
const ADMIN = { role: "admin", of: "cluster" } as const;
const BUCKET_READ = { role: "read", of: "bucket" } as const;
const BUCKET_ADMIN = { role: "admin", of: "bucket" } as const;

function told(description: string, schema: Schema): Readonly<Record<200, Answer>> {
  return { 200: { description, content: { "application/json": schema }, headers: ["Cache-Control"], mayHave: ["Content-Encoding", "Vary"] } };
}

function json(schema: Schema, example: object, description?: string): Body {
  return { type: "application/json", schema, example, ...(description === undefined ? {} : { description }) };
}

const GONE: Readonly<Record<204, Answer>> = { 204: { description: "It is done." } };

const read = { method: "GET", need: READ, isOfMember: true, parameters: [], body: null, codes: [] } as const;
const order = { method: "POST", need: ADMIN, isOfMember: true, parameters: [], codes: [] } as const;

const buckets = { group: "buckets" } as const;
const cluster = { group: "cluster" } as const;
const tokens = { group: "tokens" } as const;
const node = { group: "node" } as const;

const PLAN = told("The plan: what is staged by now comes to this.", planSchema);
const WORK = told("How work stands at every member.", worksSchema);
const ONE_BUCKET = told("Its properties.", bucketSchema);
const ORDER = json(orderSchema, { node: "n3" }, "Nodes by name or id.");
const PAUSE = json(pauseSchema, { kind: "scrub" }, "With node at that member alone.");

export const NODE_OPERATIONS = [
  {
    ...read,
    ...buckets,
    id: "listBuckets",
    path: "/buckets",
    summary: "Every bucket that has properties of its own",
    description: "Of those that the token may read.",
    answers: told("All of them.", bucketListSchema),
  },
  {
    ...read,
    ...buckets,
    id: "getBucket",
    path: "/buckets/{bucket}",
    need: BUCKET_READ,
    summary: "What holds for a bucket",
    description: "One that was never set answers the defaults.",
    parameters: [BUCKET],
    answers: ONE_BUCKET,
  },
  {
    ...buckets,
    id: "setBucket",
    method: "PUT",
    path: "/buckets/{bucket}",
    summary: "Replace what was given for a bucket",
    description: "What is not named falls to the cluster's defaults.",
    need: BUCKET_ADMIN,
    isOfMember: true,
    parameters: [BUCKET],
    body: json(bucketPropertiesSchema, { w: "all", policy: "lww" }),
    answers: ONE_BUCKET,
    codes: [],
  },
  {
    ...buckets,
    id: "resetBucket",
    method: "DELETE",
    path: "/buckets/{bucket}",
    summary: "Reset a bucket's properties",
    description: "No object is touched.",
    need: BUCKET_ADMIN,
    isOfMember: true,
    parameters: [BUCKET],
    body: null,
    answers: GONE,
    codes: [],
  },
  {
    ...read,
    ...cluster,
    id: "getCluster",
    path: "/cluster",
    summary: "Members, layout, and what is staged",
    isOfMember: false,
    answers: told("The cluster as this node knows it.", clusterSchema),
  },
  {
    ...read,
    ...cluster,
    id: "getLayout",
    path: "/cluster/layout",
    summary: "Who owns how much of the newest layout, and its history",
    answers: told("The layout.", layoutSchema),
  },
  {
    ...read,
    ...cluster,
    id: "getPlan",
    path: "/cluster/plan",
    summary: "What the staged changes come to",
    answers: told("The plan.", planSchema),
  },
  {
    ...order,
    ...cluster,
    id: "stageChanges",
    path: "/cluster/stage",
    summary: "Stage several changes, all or none",
    body: json(stageSchema, { changes: [{ change: "change", node: "n2", capacity: 2 }] }),
    answers: PLAN,
  },
  {
    ...order,
    ...cluster,
    id: "revertChanges",
    path: "/cluster/revert",
    summary: "Drop what is staged, of one node or all of it",
    body: json(revertSchema, { node: "n3" }),
    answers: PLAN,
  },
  {
    ...order,
    ...cluster,
    id: "commitChanges",
    path: "/cluster/commit",
    summary: "Make the staged changes the next layout",
    description: "Names the layout, and better the plan as well, that was looked at.",
    body: json(commitSchema, { version: 1, plan: "00c0ffee" }),
    answers: told("The number of the new layout.", committedSchema),
    codes: ["stale-layout", "minority"],
  },
  {
    ...order,
    ...cluster,
    id: "joinNode",
    path: "/cluster/join",
    summary: "Stage that a waiting node joins",
    body: ORDER,
    answers: PLAN,
  },
  {
    ...order,
    ...cluster,
    id: "leaveNode",
    path: "/cluster/leave",
    summary: "Stage that a node hands over what it has, and goes",
    body: ORDER,
    answers: PLAN,
  },
  {
    ...order,
    ...cluster,
    id: "removeNode",
    path: "/cluster/remove",
    summary: "Stage that a dead node is out",
    body: ORDER,
    answers: PLAN,
  },
  {
    ...order,
    ...cluster,
    id: "replaceNode",
    path: "/cluster/replace",
    summary: "Stage that a waiting node takes the place of another",
    body: json(replaceSchema, { node: "n3", by: "n7" }),
    answers: PLAN,
  },
  {
    ...read,
    ...cluster,
    id: "getRepairs",
    path: "/cluster/repair",
    summary: "How the last repair stands at every member",
    answers: told("Each member's report.", repairsSchema),
  },
  {
    ...order,
    ...cluster,
    id: "repair",
    path: "/cluster/repair",
    summary: "Compare all replicas now, or those of a partition or a bucket",
    description: "Begun everywhere, and going on when this is answered.",
    body: json(repairSchema, { bucket: "cart" }),
    answers: told("Each member's report.", repairsSchema),
  },
  {
    ...read,
    ...cluster,
    id: "getTransfers",
    path: "/cluster/transfers",
    summary: "What is on its way to new owners",
    answers: WORK,
  },
  {
    ...read,
    ...cluster,
    id: "getBackground",
    path: "/cluster/background",
    summary: "Work in the background, its pace, and what is paused",
    answers: WORK,
  },
  {
    ...order,
    ...cluster,
    id: "pauseWork",
    path: "/cluster/pause",
    summary: "Let a kind of work in the background rest",
    body: PAUSE,
    answers: WORK,
  },
  {
    ...order,
    ...cluster,
    id: "resumeWork",
    path: "/cluster/resume",
    summary: "Let it go on",
    body: PAUSE,
    answers: WORK,
  },
  {
    ...order,
    ...cluster,
    id: "restoreStates",
    path: "/cluster/restore",
    summary: "Store finished states from a backup at all owners",
    body: {
      type: "application/octet-stream",
      schema: null,
      example: "",
      description: "States as `halo restore --into` sends them, one after the other.",
    },
    answers: told("How many were stored, and why the first that was not failed.", restoredSchema),
    codes: ["disk-full", "memory-full", "files-full", "quorum-unreachable"],
  },
  {
    ...read,
    ...tokens,
    id: "listTokens",
    path: "/tokens",
    summary: "The tokens that are given",
    need: ADMIN,
    answers: told("All of them, without what proves them.", tokenListSchema),
  },
  {
    ...order,
    ...tokens,
    id: "giveToken",
    path: "/tokens",
    summary: "Give a token",
    body: json(tokenSchema, { name: "shop", role: "write", buckets: ["cart*"], expiresSeconds: 86_400 }),
    answers: {
      201: { description: "The token, shown this once.", content: { "application/json": givenTokenSchema } },
    },
  },
  {
    ...tokens,
    id: "removeToken",
    method: "DELETE",
    path: "/tokens/{name}",
    summary: "Take a token back",
    description: "It is worth nothing any more, at every node that could be told.",
    need: ADMIN,
    isOfMember: true,
    parameters: [
      { name: "name", in: "path", description: "The token's.", schema: v.string(), example: "shop", isRequired: true },
    ],
    body: null,
    answers: GONE,
    codes: ["not-found"],
  },
  {
    ...read,
    ...node,
    id: "getStatistics",
    path: "/stats",
    summary: "Counters and gauges by name",
    isOfMember: false,
    answers: told("Numbers; null where one is not known.", statisticsSchema),
  },
  {
    ...read,
    ...node,
    id: "isAlive",
    path: "/healthz",
    summary: "Whether the process answers",
    need: null,
    isOfMember: false,
    answers: { 200: { description: "ok", content: { "text/plain": v.literal("ok\n") } } },
  },
  {
    ...read,
    ...node,
    id: "isReady",
    path: "/readyz",
    summary: "Whether this node can serve: a read quorum of every partition is in reach",
    need: null,
    isOfMember: false,
    parameters: [{
      name: "for",
      in: "query",
      description: "write: whether writes are taken as well.",
      schema: v.picklist(["read", "write"]),
      example: "write",
    }],
    answers: told("It can.", readySchema),
    codes: ["not-ready", "internal"],
  },
  {
    ...read,
    ...node,
    id: "getOpenApi",
    path: "/openapi.json",
    summary: "This document",
    need: null,
    isOfMember: false,
    answers: told("OpenAPI 3.1.", v.pipe(v.custom<object>(() => true), v.metadata({ type: "object", required: ["openapi", "paths"] }))),
  },
  {
    ...read,
    ...node,
    id: "getDocs",
    path: "/docs",
    summary: "This document as a page to read",
    need: null,
    isOfMember: false,
    answers: {
      200: {
        description: "HTML that loads nothing.",
        content: { "text/html": v.string() },
        headers: ["Content-Security-Policy"],
        mayHave: ["Content-Encoding", "Vary"],
      },
    },
  },
] as const satisfies readonly Operation[];
