/**
 * The outer side of a join: a node without a cluster asks the seeds, one after the other, for as
 * long as it takes, and becomes a member by what the first one answers.
 */

import { DiskError } from "../../storage/disk.ts";
import type { Timer } from "../ports/clock.ts";
import type { Ports } from "../ports/ports.ts";
import type { Peer, Peers } from "../wire/peers.ts";
import { Fields, MalformedDocument } from "./document.ts";
import { attributesDocument, type NodeAttributes } from "./member.ts";

/** Longer than a member tries to get a majority. */
const JOIN_TIMEOUT_MS = 12_000;
/** Pause between two seeds, doubling each time the node was not let in; a quarter is random. */
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 5_000;

/** What a member answers to a node that it has let in. */
export interface Admitted {
  readonly nodeId: string;
  readonly since: number;
  /** All that members know: ClusterState.takeOver. */
  readonly state: unknown;
}

export class Joining {
  readonly #ports: Ports;
  readonly #peers: Peers;
  /** Takes the answer in. @throws MalformedDocument, DiskError */
  readonly #admitted: (answer: Admitted) => void;
  #seeds: readonly string[] = [];
  #message: Record<string, unknown> = {};
  #next = 0;
  #retryMs = RETRY_MS_MIN;
  #timer: Timer | null = null;
  #link: Peer | null = null;
  #stopped = true;
  #detail = "";

  constructor(ports: Ports, peers: Peers, admitted: (answer: Admitted) => void) {
    this.#ports = ports;
    this.#peers = peers;
    this.#admitted = admitted;
  }

  /** Why the node is not in yet: one sentence. */
  get detail(): string {
    return this.#detail;
  }

  /** REQUIRES: at least one seed. @param isStaged whether an administrator lets it in */
  start(
    seeds: readonly string[],
    incarnation: string,
    attributes: NodeAttributes,
    isStaged: boolean,
  ): void {
    this.#seeds = seeds;
    this.#message = { incarnation, ...attributesDocument(attributes), staged: isStaged };
    this.#next = this.#ports.random.below(seeds.length);
    this.#stopped = false;
    this.#detail = `Asking ${seeds.join(", ")} to be let in`;
    this.#ask();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#link?.close("this node stops asking");
    this.#link = null;
  }

  #ask(): void {
    const seed = this.#seeds[this.#next];
    this.#next = (this.#next + 1) % this.#seeds.length;
    const link = this.#peers.connectTo(seed, "joining");
    this.#link = link;
    link.call("join", this.#message, JOIN_TIMEOUT_MS, (reply, error) => {
      if (this.#stopped) return;
      this.#link = null;
      link.close("the question was answered");
      const trouble = error === "" ? this.#take(reply) : error;
      if (trouble === "") this.stop();
      else this.#again(seed, trouble);
    });
  }

  /** "" when this node is a member now. */
  #take(reply: unknown): string {
    try {
      const fields = new Fields(reply);
      const nodeId = fields.nodeId("node");
      this.#admitted({ nodeId, since: fields.whole("since", 1), state: fields.raw("state") });
      return "";
    } catch (error) {
      if (error instanceof DiskError) return `the disk does not take its answer: ${error.message}`;
      if (!(error instanceof MalformedDocument)) throw error;
      return `its answer is malformed: ${error.message}`;
    }
  }

  #again(seed: string, trouble: string): void {
    this.#detail = `Not let in by ${seed}: ${trouble}`;
    this.#ports.log.warn("Not let into the cluster yet", { seed, reason: trouble });
    const quarter = Math.floor(this.#retryMs / 4);
    const pauseMs = this.#retryMs - quarter + this.#ports.random.below(quarter + 1);
    this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MS_MAX);
    this.#timer = this.#ports.clock.after(pauseMs, () => this.#ask());
  }
}
