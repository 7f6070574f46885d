/**
 * A cluster with a secret, and who is no member of it: every kind of frame and every type of message that a node serves
 * is said once more, as a member has said it, by somebody who may not. It is refused, and no engine is asked.
 *
 * What is served is overheard while nodes are put together, so that none that is added later can be forgotten.
 */

import t, { type Test } from "tap";
import { KIND_GET, KIND_MESSAGE, KIND_PUT, STATUS_CHALLENGE, STATUS_NOT_PROVED, STATUS_REFUSED } from "../../../core/frame.ts";
import { STATUS_MALFORMED } from "../../../core/replica-frames.ts";
import { decodeResult, QUORUM_DEFAULT, RESULT_CODES } from "../../../core/request-frames.ts";
import type { ListRequest } from "../../../server/coordination/store.ts";
import { rootToken } from "../../../server/membership/authorization.ts";
import { hashOfToken, type TokenRole } from "../../../server/membership/tokens.ts";
import { decodeMessage, encodeMessage } from "../../../server/wire/messages.ts";
import type { Node } from "../../../server/node.ts";
import { SimulatedClock } from "../../simulation/clock.ts";
import { Stage } from "../../simulation/stage.ts";
import { Traffic, type Overheard } from "./traffic.ts";
import { frameOf, helloOf, type RawFrame, RawLink } from "./wire-world.ts";

const SECRET = new TextEncoder().encode("correct horse battery staple");
const INTRUDER = "intruder";
/** The machine that is spoken to. */
const HERE = 0;
const LIMIT_MS = 120_000;
/** What clients may ask for, and the role that they need; all else is for members. */
const OF_CLIENTS: Readonly<Record<string, TokenRole>> = {
  [`kind ${KIND_PUT}`]: "write",
  [`kind ${KIND_GET}`]: "read",
  list: "read",
  layout: "read",
};

const encoder = new TextEncoder();

const traffic = new Traffic((name) => name === INTRUDER);
traffic.listen();
const stage = new Stage(4, 7, 1, { reapAfterMs: 1_000, secret: SECRET });
bustle();
traffic.end();
for (const node of nodes()) if (node.objects !== null) traffic.watch(node.objects);

function nodes(): Node[] {
  return stage.cluster.inside.flatMap((index) => stage.cluster.node(index) ?? []);
}

function here(): Node {
  const node = stage.cluster.node(HERE);
  if (node === null) throw new Error("the node is down");
  return node;
}

/** Everything that members have to say to each other happens once. */
function bustle(): void {
  const { store, cluster } = here();
  for (let index = 0; index < 60; index++) {
    stage.put(index % 4, `sib/${index}`, `value ${index}`.padEnd(index % 9 === 0 ? 6_000 : 10));
  }
  stage.isolate(1);
  for (let index = 0; index < 60; index++) stage.put(2, `sib/${index}`, "beside it", { w: 1, timeoutMs: 500 });
  stage.healNetwork();
  const bucket = encoder.encode("sib");
  const list: ListRequest = { bucket, prefix: new Uint8Array(0), cursor: "", limit: 9, bytesMax: 1 << 20, r: "all", timeoutMs: 500 };
  store.list(list, () => {});
  cluster.pause({ kind: "scrub", node: null, isPaused: false }, () => {});
  cluster.work(() => {});
  cluster.repair({ partition: null, bucket: null }, () => {});
  cluster.repairs(() => {});
  stage.settle();
  for (let index = 0; index < 4; index++) stage.get(index, "sib/30");
  for (let index = 0; index < 20; index++) stage.delete(index % 4, `sib/${index}`);
  stage.cluster.enter(4, false);
  stage.until("the newcomer has its part", () => stage.cluster.isSettled(), LIMIT_MS);
  stage.cluster.node(4)?.membership.sayFarewell(() => {});
  const missing = (): string[] => [...traffic.labels].filter((label) => !traffic.overheard.has(label) && !(label in OF_CLIENTS));
  stage.until("all has been said", () => missing().length === 0, LIMIT_MS);
}

/** A connection that says one thing after the other. */
class Intruder {
  readonly link = new RawLink();
  #correlation = 0;

  constructor() {
    const clock = new SimulatedClock(stage.world, INTRUDER);
    this.link.attach(stage.cluster.network.port(INTRUDER, clock).connect(`n${HERE}:7071`, this.link));
    stage.run(5);
  }

  /** @returns the answer's status; -1: none */
  greet(fields: Record<string, unknown>): number {
    this.link.send(helloOf({ cluster: null, name: INTRUDER, ...fields }));
    stage.run(5);
    return this.link.frames.pop()?.status ?? -1;
  }

  /** @returns the answer; null: none came */
  ask({ kind, body }: Overheard): RawFrame | null {
    this.link.send(frameOf(kind, ++this.#correlation, body));
    stage.run(500);
    return this.link.frames.pop() ?? null;
  }
}

/** A client with a token of its own, let in while that was good. */
function client(name: string, role: TokenRole, buckets: readonly string[], expiresMs = 0): Intruder {
  const token = `halo_${name}`;
  const error = here().membership.tokens.give(name, { hash: hashOfToken(token), role, buckets, expiresMs, requestsPerSecond: 0 });
  if (error !== "") throw new Error(error);
  return admitted(token);
}

function admitted(token: string): Intruder {
  const intruder = new Intruder();
  if (intruder.greet({ role: "client", token }) !== 0) throw new Error("The token is not taken");
  return intruder;
}

function said(label: string): Overheard {
  const body = label === "layout" ? [0] : [encoder.encode("sib"), new Uint8Array(0), "", 100, QUORUM_DEFAULT, 1_000];
  return traffic.overheard.get(label) ?? { kind: KIND_MESSAGE, body: encodeMessage([label, body]) };
}

/** How a request of a client ended: a code, "" where it was done, or "refused". */
function endOf(label: string, answer: RawFrame | null): string {
  if (answer === null) return "no answer";
  const { status, body } = answer;
  if (status === STATUS_REFUSED) return "refused";
  if (status !== 0) return `status ${status}`;
  if (label.startsWith("kind")) return RESULT_CODES[decodeResult(body, 0, body.length)?.code ?? 0];
  return label === "list" ? String((decodeMessage(body, 0, body.length) as unknown[])[1]) : "";
}

/** Expects that nothing was asked of an engine, and that the cluster is what it was. */
function untouched(test: Pick<Test, "same" | "equal">, label: string, act: () => void): void {
  const state = (): string => {
    const { layouts, members, self } = here().membership;
    return JSON.stringify([layouts.current.number, members.length, self.status, here().clusterReport().staged]);
  };
  const before = state();
  traffic.touched.length = 0;
  act();
  test.same(traffic.touched, [], `${label}: no engine is asked`);
  test.equal(state(), before, `${label}: nothing is ordered`);
}

const ID = { cluster: here().clusterReport().cluster, node: "0123456789abcdef" };
const NONCE = new Uint8Array(16).fill(7);
const PROOF = new Uint8Array(32).fill(7);
/** Who is not let in: what he says of himself; null: nothing. */
const STRANGERS: Readonly<Record<string, Record<string, unknown> | null>> = {
  "who does not greet": null,
  "a client without a token": { role: "client" },
  "a client with a token that nobody gave": { role: "client", token: "halo_nobody" },
  "a client whose token has expired": { role: "client", token: "halo_brief" },
  "a client whose token was taken back": { role: "client", token: "halo_former" },
  "a client with the root token of another secret": { role: "client", token: rootToken(PROOF) },
  "a member without the secret": { role: "peer", ...ID },
  "a member with a proof of another secret": { role: "peer", ...ID, nonce: NONCE, proof: PROOF },
  "a member that does not answer the challenge": { role: "peer", ...ID, nonce: NONCE },
  "a newcomer without the secret": { role: "joining", ...ID },
  "a newcomer with a proof of another secret": { role: "joining", ...ID, nonce: NONCE, proof: PROOF },
  "a newcomer that does not answer the challenge": { role: "joining", ...ID, nonce: NONCE },
};

t.test("all that members say was overheard", (t) => {
  const unheard = [...traffic.labels].filter((label) => !traffic.overheard.has(label));
  t.same(unheard.sort(), ["layout", "list"], "but for what clients alone ask");
  t.ok(traffic.labels.size > 25, `${traffic.labels.size} are served`);
  t.end();
});

t.test("clients that were let in are refused what is for members, whatever their token", (t) => {
  const ofMembers = [...traffic.labels].filter((label) => !(label in OF_CLIENTS));
  const clients = { reader: client("reader", "read", ["*"]), admin: client("admin", "admin", ["*"]), root: admitted(rootToken(SECRET)) };
  for (const [name, intruder] of Object.entries(clients)) {
    for (const label of ofMembers) {
      untouched(t, `${name}: ${label}`, () => {
        const answer = intruder.ask(said(label));
        t.equal(answer?.status, label.startsWith("kind") ? STATUS_MALFORMED : STATUS_REFUSED, `${name}: ${label}`);
      });
    }
    t.ok(intruder.link.isOpen, `${name} can go on`);
  }
  t.end();
});

t.test("clients are refused what their token does not allow, also when it is worth nothing any more", (t) => {
  const { tokens } = here().membership;
  const brief = client("brief", "admin", ["*"], stage.cluster.wallMs(HERE) + 1_000);
  const former = client("former", "admin", ["*"]);
  const cases: [string, Intruder, (label: string) => boolean][] = [
    ["of a weaker role", client("weak", "read", ["*"]), (label) => OF_CLIENTS[label] === "write"],
    ["of another bucket", client("elsewhere", "admin", ["si", "sibs", "*s"]), (label) => label !== "layout"],
    ["expired", brief, () => true],
    ["taken back", former, () => true],
  ];
  stage.run(1_000);
  t.equal(tokens.takeBack("former"), "");
  for (const [name, intruder, isRefused] of cases) {
    for (const label of Object.keys(OF_CLIENTS).filter(isRefused)) {
      untouched(t, `${name}: ${label}`, () => {
        const end = endOf(label, intruder.ask(said(label)));
        t.equal(end, label === "layout" ? "refused" : "forbidden", `${name}: ${label}`);
      });
    }
  }
  const rest = (label: string): string => endOf(label, admitted(rootToken(SECRET)).ask(said(label)));
  traffic.touched.length = 0;
  for (const label of Object.keys(OF_CLIENTS)) t.equal(rest(label), "", `${label} is done for who may`);
  t.ok(traffic.touched.includes("read"), "which asks an engine");
  t.end();
});

t.test("who is not let in is answered nothing, whatever he says", (t) => {
  for (const [name, greeting] of Object.entries(STRANGERS)) {
    for (const label of traffic.labels) {
      untouched(t, `${name}: ${label}`, () => {
        const intruder = new Intruder();
        const status = greeting === null ? STATUS_CHALLENGE : intruder.greet(greeting);
        const isAsked = /challenge|greet/.test(name);
        t.equal(status, isAsked ? STATUS_CHALLENGE : STATUS_NOT_PROVED, `${name} is told why`);
        t.equal(intruder.ask(said(label)), null, `${name}: ${label}`);
        t.notOk(intruder.link.isOpen, `${name}: ${label}: that was all`);
      });
    }
  }
  t.end();
});
