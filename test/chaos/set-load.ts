/**
 * The load of Jepsen's sets: clients add numbers to a few sets by reading, uniting siblings, and writing with the context.
 * Every number that was acknowledged has to be in its set at the end, whatever happened meanwhile.
 *
 *   GET  {1,2} │ {1,3}  ──► {1,2,3,4}  PUT with the context ──► done: 4 must stay; anything else: it may
 *
 * What fails is tried once more, through another node, with the same request id.
 */

import { drawRequestId } from "../../core/request-id.ts";
import { type Answer, Cut, HttpLine } from "../crash/kills/http-line.ts";
import type { Victim } from "../crash/kills/victim.ts";
import { pause } from "./cluster.ts";

const KEYS = 10;
const CLIENTS = 40;
const THINK_MS = 200;
const REASONS_MAX = 5;
const decoder = new TextDecoder();

export class SetLoad {
  /** Numbers that were acknowledged, by set. */
  readonly acknowledged = Array.from({ length: KEYS }, () => new Set<number>());
  /** Requests, those that failed at first, and those that failed twice. */
  requests = 0;
  firstErrors = 0;
  errors = 0;
  /** What the first of those that failed twice were told, both times. */
  readonly reasons: string[] = [];
  readonly #nodes: () => readonly Victim[];
  readonly #clients: Promise<void>[];
  #next = 1;
  #isOver = false;

  /** @param nodes that are asked, as long as they are up */
  constructor(nodes: () => readonly Victim[]) {
    this.#nodes = nodes;
    this.#clients = Array.from({ length: CLIENTS }, (_, client) => this.#client(client));
  }

  get count(): number {
    return this.acknowledged.reduce((sum, { size }) => sum + size, 0);
  }

  /** Ends the load. */
  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#clients);
  }

  async #client(client: number): Promise<void> {
    for (let turn = client; !this.#isOver; turn++) {
      await this.#add(turn % KEYS, turn);
      await pause(THINK_MS * (0.5 + Math.random()));
    }
  }

  async #add(key: number, turn: number): Promise<void> {
    const read = await this.#twice(turn, { method: "GET", path: `/kv/sets/${key}`, headers: ["Accept: application/json"] });
    if (read === null) return;
    const number = this.#next++;
    const numbers = [...numbersOf(read), number].join();
    const context = read.headers.get("halo-context");
    const headers = [`Halo-Request-Id: ${requestId()}`, ...(context === undefined ? [] : [`Halo-Context: ${context}`])];
    const body = new TextEncoder().encode(numbers);
    const put = await this.#twice(turn, { method: "PUT", path: `/kv/sets/${key}`, headers, body });
    if (put !== null) this.acknowledged[key]?.add(number);
  }

  /** Through one node, and where that fails through the next; null: neither. */
  async #twice(turn: number, asking: Parameters<HttpLine["ask"]>[0]): Promise<Answer | null> {
    this.requests++;
    const first = await this.#once(turn, asking);
    if (typeof first !== "string") return first;
    this.firstErrors++;
    const second = await this.#once(turn + 1, asking);
    if (typeof second !== "string") return second;
    this.errors++;
    if (this.reasons.length < REASONS_MAX) this.reasons.push(`${asking.method}: ${first}; ${second}`);
    return null;
  }

  /** The answer, or why there is none. */
  async #once(turn: number, asking: Parameters<HttpLine["ask"]>[0]): Promise<Answer | string> {
    const nodes = this.#nodes();
    const node = nodes[turn % Math.max(1, nodes.length)];
    if (node === undefined) return "there is no node";
    if (!node.isUp) return `${node.name} is down`;
    const answer = await askOnce(node.http, asking);
    if (answer === null) return `${node.name} cut the connection`;
    const { status, body } = answer;
    return status <= 300 || status === 404 ? answer : `${node.name} said ${status}, ${decoder.decode(body).slice(0, 300)}`;
  }
}

/** A new request id, as the header has it. */
function requestId(): string {
  const hex = Buffer.from(drawRequestId(Date.now(), (bytes) => void crypto.getRandomValues(bytes))).toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** One request on a connection of its own; null: it was cut. */
export async function askOnce(http: string, asking: Parameters<HttpLine["ask"]>[0]): Promise<Answer | null> {
  const line = new HttpLine(http);
  try {
    await line.opened;
    return await line.ask(asking);
  } catch (error) {
    if (error instanceof Cut) return null;
    throw error;
  } finally {
    line.close();
  }
}

/** All numbers in the siblings of an answer. */
export function numbersOf({ status, body }: Answer): Set<number> {
  const text = decoder.decode(body);
  if (status === 404) return new Set();
  const values = status === 300
    ? (JSON.parse(text) as { siblings: { value: string }[] }).siblings.map(({ value }) => atob(value))
    : [text];
  return new Set(values.flatMap((value) => value.split(",").map(Number)));
}
