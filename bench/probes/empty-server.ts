/**
 * Probe: how many requests a second does Hono on Bun answer here if it does nothing?
 *
 * One process that answers 100 bytes to any request without reading a body. It is the limit of one
 * node: what the store adds to it is what the store costs. The rates of one halo
 * node are printed as a share of this one, puts as well: the limit is the cheapest answer there is.
 *
 *   bun bench/probes/empty-server.ts PORT
 */

import { Hono } from "hono";

const VALUE_BYTES = 100;

const value = new Uint8Array(VALUE_BYTES).fill("x".charCodeAt(0));
const app = new Hono();
app.get("/ready", (context) => context.text("ready"));
app.all("*", (context) => context.body(value));

Bun.serve({ hostname: "127.0.0.1", port: Number(process.argv[2]), fetch: app.fetch });
