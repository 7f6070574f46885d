/**
 * A store in memory behind the HTTP face: one replica, honest siblings, no quorum. A context is
 * the list of versions that its holder was shown; a write drops those and stays beside the
 * others.
 */

import { MemoryStage } from "../../../storage/memory/memory-payload.ts";
import type { Stage } from "../../../storage/engine.ts";
import type { ObjectName } from "../../../core/object-name.ts";
import type {
  Explanation,
  GetRequest,
  ListRequest,
  ListResult,
  PutRequest,
  Result,
  Sibling,
  Store,
} from "../../../server/coordination/store.ts";

interface Version extends Sibling {
  readonly id: number;
  readonly isTombstone: boolean;
}

const SLICE_BYTES = 256 << 10;
const TIME_MS = Date.UTC(2026, 10, 20, 12, 0, 0);

export class MemoryStore implements Store {
  readonly #objects = new Map<string, Version[]>();
  #lastId = 0;
  /** What the store was last asked, as it was asked. */
  lastPut: PutRequest | null = null;
  lastGet: GetRequest | null = null;
  lastList: ListRequest | null = null;
  puts = 0;
  /** Whatever it was asked, how often. */
  calls = 0;
  /** When set, the next request ends so. */
  nextResult: Partial<Result> | null = null;

  stage(_name: ObjectName): Stage {
    this.calls++;
    return new MemoryStage(SLICE_BYTES);
  }

  put(request: PutRequest, done: (result: Result) => void): void {
    this.calls++;
    this.lastPut = request;
    this.puts++;
    if (this.#forced(done)) return;
    const before = this.#versions(request.name);
    if (request.precondition !== null) {
      const { absent, etags } = request.precondition;
      const live = before.filter((version) => !version.isTombstone);
      const passes = absent ? live.length === 0 : (etags.includes("*") ? live.length > 0 : etags.includes(etagOf(before)));
      if (!passes) {
        const detail = "The condition does not hold.";
        done({ ...this.#result(before), outcome: "refused", code: "precondition-failed", detail });
        return;
      }
    }
    const seen = request.isDelete && request.context === ""
      ? before.map(({ id }) => id)
      : idsOf(request.context);
    if (seen === null) {
      done({
        ...NOTHING,
        outcome: "refused",
        code: "bad-context",
        detail: "The context is no context.",
      });
      return;
    }
    const id = ++this.#lastId;
    const { body, meta, isDelete: isTombstone } = request;
    const expiryMs = request.ttlSeconds === 0 ? 0 : TIME_MS + 1000 * request.ttlSeconds;
    const version = { id, body, meta, timeMs: TIME_MS + id * 1000, expiryMs, isTombstone };
    const after = [...before.filter((old) => !seen.includes(old.id)), version];
    this.#objects.set(keyOf(request.name), after);
    const answer = this.#result(after);
    done({ ...answer, siblings: request.returnBody ? answer.siblings : [] });
  }

  get(request: GetRequest, done: (result: Result) => void): void {
    this.calls++;
    this.lastGet = request;
    if (this.#forced(done)) return;
    const versions = this.#versions(request.name);
    const result = this.#result(versions);
    if (result.siblings.length > 0) return done(result);
    const detail = "There is no value under this name.";
    done({ ...result, outcome: "refused", code: "not-found", detail });
  }

  /** Pages in the order of names; a cursor is the last key's text. */
  list(request: ListRequest, done: (result: ListResult) => void): void {
    this.calls++;
    this.lastList = request;
    const forced = this.nextResult;
    this.nextResult = null;
    if (forced !== null) {
      const { outcome = "refused", code = "", detail = "" } = forced;
      if (code === "not-found") throw new Error("A listing is never not found");
      return done({ outcome, code, detail, keys: [], cursor: "", primaries: 0 });
    }
    const start = `${String.fromCharCode(...request.bucket)}/`;
    const prefix = String.fromCharCode(...request.prefix);
    const keys = [...this.#objects].filter(([, versions]) => versions.some((one) => !one.isTombstone))
      .map(([name]) => name).filter((name) => name.startsWith(start + prefix))
      .map((name) => name.slice(start.length)).sort().filter((key) => key > request.cursor);
    const page = keys.slice(0, request.limit);
    return done({
      outcome: "done",
      code: "",
      detail: "",
      keys: page.map((key) => Buffer.from(key, "latin1")),
      cursor: page.length < keys.length ? page[page.length - 1] : "",
      primaries: 2,
    });
  }

  explain(name: ObjectName, _timeoutMs: number, done: (explanation: Explanation) => void): void {
    this.calls++;
    const position = name.position0.toString(16).padStart(8, "0").repeat(4);
    done({ position, partition: 7, partitions: 1024, layout: 1, preference: [] });
  }

  #forced(done: (result: Result) => void): boolean {
    if (this.nextResult === null) return false;
    const forced = { ...NOTHING, ...this.nextResult };
    this.nextResult = null;
    done(forced);
    return true;
  }

  #versions(name: ObjectName): Version[] {
    return this.#objects.get(keyOf(name)) ?? [];
  }

  #result(versions: Version[]): Result {
    const siblings = versions.filter((version) => !version.isTombstone);
    const context = versions.length === 0 ? "" : `seen-${versions.map(({ id }) => id).join("-")}`;
    return { ...NOTHING, context, etag: etagOf(versions), siblings };
  }
}

const NOTHING: Result = {
  outcome: "done",
  code: "",
  detail: "",
  context: "",
  etag: "",
  primaries: 2,
  fallbacks: 1,
  siblings: [],
};

function keyOf(name: ObjectName): string {
  return String.fromCharCode(...name.bytes);
}

function idsOf(context: string): number[] | null {
  if (context === "") return [];
  if (!context.startsWith("seen-")) return null;
  return context.slice(5).split("-").map(Number);
}

function etagOf(versions: readonly Version[]): string {
  if (versions.length === 0) return "";
  return versions.map(({ id }) => id.toString(16)).join("0").padStart(16, "0");
}
