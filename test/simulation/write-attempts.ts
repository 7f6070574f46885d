/**
 * One write as its client sees it: a first attempt, and after "unknown" or a passing refusal
 * further ones through other nodes under the same request id, until one is acknowledged or the
 * client has had enough. The write's outcome is that of all attempts together:
 *
 *   any done → done;  else any unknown (or never answered) → unknown;  else refused
 *
 * A refusal after an unknown outcome says nothing about the earlier attempt.
 */

import type { PutRequest, Result } from "../../server/coordination/store.ts";
import type { SeededRandom } from "../random.ts";
import type { Client, Held, WriteKind } from "./client.ts";
import { summaryOf } from "./client.ts";
import { type Knowledge, knowledgeOfPut, reachMs, type Write } from "./history.ts";
import { drawWrite, type DrawnWrite, shortfall } from "./quorums.ts";
import { metaOf } from "./values.ts";
import type { Key, Workload } from "./workload.ts";

export class WriteAttempts {
  readonly #client: Client;
  readonly #workload: Workload;
  readonly #key: Key;
  readonly #write: Write;
  readonly #request: Omit<PutRequest, "options">;
  readonly #drawn: DrawnWrite;
  #sawUnknown = false;

  constructor(
    client: Client,
    workload: Workload,
    key: Key,
    seen: Held,
    bodyOf: (id: number) => Uint8Array,
    kind: WriteKind,
  ) {
    const { random, clock, history, shape } = workload.options;
    const requestId = requestIdAt(clock.nowMs(), random);
    const isDelete = kind.isDelete === true;
    const readsFirst = isDelete || kind.precondition !== undefined;
    this.#client = client;
    this.#workload = workload;
    this.#key = key;
    this.#drawn = drawWrite(random, shape.owners, shape.timeoutMs, shape.drawQuorums);
    this.#write = history.begin({
      key: key.text,
      policy: key.policy,
      isDelete,
      isBlind: seen.context === "" && readsFirst,
      requestId: hexOf(requestId),
      knowledge: seen.knowledge,
      beganMs: clock.elapsedMs(),
    }, bodyOf);
    this.#request = {
      name: key.name,
      context: seen.context,
      requestId,
      meta: metaOf(this.#write.id),
      body: this.#write.body,
      isDelete,
      ttlSeconds: 0,
      returnBody: random.chance(1, 20),
      precondition: kind.precondition ?? null,
    };
    if (this.#write.isBlind) this.#write.knowledge = blindUntil(seen.knowledge, Infinity);
    workload.counts.writes++;
  }

  /** Makes the next attempt. */
  next(): void {
    const { random, clock, trace } = this.#workload.options;
    const { calls } = this.#workload;
    const node = random.below(calls.nodes);
    const beganMs = clock.elapsedMs();
    const request = { ...this.#request, options: this.#drawn.options };
    this.#write.attempts++;
    const { key, id } = this.#write;
    const kind = this.#write.isDelete ? "delete" : "put";
    const what = `client ${this.#client.index} ${kind} ${key} #${id} through ${node}`;
    const isRetry = this.#write.attempts > 1;
    const couldBeTold = isRetry ? this.#workload.options.retried(request) : null;
    this.#write.isRetried = isRetry;
    const taken = calls.ask<Result>(node, (store, done) => store.put(request, done), (result) => {
      this.#write.isRetried = false;
      if (couldBeTold?.() === false) this.#write.hadBlindRetry = true;
      trace.add(clock.elapsedMs(), `${what}: ${summaryOf(result)}`);
      this.#ended(result, beganMs);
    });
    if (taken) return;
    this.#write.isRetried = false;
    this.#again("refused");
  }

  #ended(result: Result | null, beganMs: number): void {
    if (result === null || result.outcome === "unknown") {
      this.#sawUnknown = true;
      return this.#again("unknown");
    }
    if (result.outcome === "done") return this.#acknowledged(result, beganMs);
    if (result.code === "bad-context" || result.code === "bad-parameter") {
      const { oracle } = this.#workload.options;
      oracle.accuse("refused in error", this.#key.text, `#${this.#write.id}: ${result.detail}`);
    }
    const passing = result.code === "overloaded" || result.code === "quorum-unreachable" ||
      result.code === "not-ready" || result.code === "clock-skew";
    if (passing) this.#again("refused");
    else this.#settle("refused");
  }

  #again(outcome: "refused" | "unknown"): void {
    const { shape, random, clock } = this.#workload.options;
    const isTired = this.#write.attempts >= shape.attemptsMax || random.chance(1, 4);
    if (isTired) return this.#settle(outcome);
    clock.after(1 + random.below(400), () => this.next());
  }

  #acknowledged(result: Result, beganMs: number): void {
    const write = this.#write;
    const { enough } = this.#drawn;
    write.copies = enough.replicas;
    write.primaries = enough.primaries;
    write.durable = enough.durable;
    if (this.#request.returnBody) this.#client.see(this.#key, result, beganMs, 0);
    else if (!(write.isDelete && write.isBlind)) this.#acknowledgedBy(result);
    this.#settle("done");
  }

  /** The plain answer of a put: who took part, and a context that covers what it saw and itself. */
  #acknowledgedBy(result: Result): void {
    const write = this.#write;
    const lack = shortfall(result, this.#drawn.enough);
    const { oracle } = this.#workload.options;
    if (lack !== "") oracle.accuse("too few replicas", write.key, `#${write.id}: ${lack}`);
    // An owner and its stand-in may both be counted there: `copies` stays what was asked for.
    write.primaries = result.primaries;
    // No etag: the write had been overwritten before this attempt, and its context is as it was.
    const knowledge = result.etag === "" ? write.knowledge : knowledgeOfPut(write);
    this.#client.remember(this.#key, { context: result.context, knowledge });
  }

  #settle(outcome: "done" | "refused" | "unknown"): void {
    const { counts, options } = this.#workload;
    const write = this.#write;
    write.outcome = outcome === "refused" && this.#sawUnknown ? "unknown" : outcome;
    write.endedMs = options.clock.elapsedMs();
    if (write.isBlind) write.knowledge = blindUntil(write.knowledge, reachMs(write));
    if (write.outcome === "done") {
      counts.acknowledged++;
      options.acknowledged(write);
    } else if (write.outcome === "refused") counts.refused++;
    else counts.unknown++;
    options.oracle.writeEnded(write);
    this.#client.rest();
  }
}

/** A write that replaces whatever its coordinator finds may cover anything up to its end. */
function blindUntil(knowledge: Knowledge, untilMs: number): Knowledge {
  return { ...knowledge, tombstonesUntilMs: untilMs, anythingUntilMs: untilMs };
}

/** A UUIDv7 (RFC 9562): 48 bits of the client's clock, then chance. */
export function requestIdAt(nowMs: number, random: SeededRandom): Uint8Array {
  const bytes = new Uint8Array(16);
  random.fill(bytes);
  let ms = nowMs;
  for (let index = 5; index >= 0; index--) {
    bytes[index] = ms % 256;
    ms = (ms - bytes[index]) / 256;
  }
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return bytes;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

export function hexOf(bytes: Uint8Array): string {
  let text = "";
  for (let index = 0; index < bytes.length; index++) text += HEX[bytes[index]];
  return text;
}
