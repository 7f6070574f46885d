/** GET /explain: where a name lives, and what each node of its preference list holds of it right now. */

import { KIND_FETCH, type FrameView } from "../../core/frame.ts";
import type { ObjectName } from "../../core/object-name.ts";
import {
  STATUS_ABSENT,
  STATUS_DONE,
  WANT_SET,
  FetchedView,
  fetchLength,
  readFetched,
  setOf,
  writeFetch,
} from "../../core/replica-frames.ts";
import type { VersionSet } from "../../storage/engine.ts";
import type { Layout } from "../membership/layout.ts";
import type { Member } from "../membership/member.ts";
import type { Replication } from "../replication/replication.ts";
import type { ReplyHandler } from "../wire/peers.ts";
import type { Explanation, ReplicaReport } from "./store.ts";
import { etagOf, shownVersions } from "./view.ts";

/** The reply being taken; valid inside replied() only. */
const reply = new FetchedView();

export interface ExplainParts {
  readonly replication: Replication;
  readonly memberById: (id: string) => Member | undefined;
  readonly layout: Layout;
  readonly copies: number;
  readonly nowMs: number;
}

const NOTHING_MORE = new Uint8Array(16);

export class Explain implements ReplyHandler {
  readonly #parts: ExplainParts;
  readonly #name: ObjectName;
  readonly #partition: number;
  readonly #done: (explanation: Explanation) => void;
  readonly #reports: ReplicaReport[] = [];
  #waiting = 1;

  constructor(
    parts: ExplainParts,
    name: ObjectName,
    partition: number,
    done: (explanation: Explanation) => void,
  ) {
    this.#parts = parts;
    this.#name = name;
    this.#partition = partition;
    this.#done = done;
  }

  start(timeoutMs: number): void {
    const { layout, memberById } = this.#parts;
    for (let rank = 0; rank < layout.nodes.length; rank++) {
      const index = layout.preference[this.#partition * layout.nodes.length + rank];
      const member = memberById(layout.nodes[index].id);
      if (member !== undefined) this.#ask(member, timeoutMs);
    }
    this.#answered();
  }

  #ask(member: Member, timeoutMs: number): void {
    const place = this.#reports.length;
    this.#reports.push(this.#blank(member, place));
    this.#waiting++;
    if (member.peer === null) return this.#readHere(place);
    const length = fetchLength(this.#name.bytes);
    const layout = this.#parts.layout.number;
    const offset = member.peer.request(KIND_FETCH, 0, layout, length, timeoutMs, this, place);
    if (offset < 0) return this.#answered();
    const { bytes } = this.#name;
    const body = { want: WANT_SET, flags: 0, checksum: 0, about: NOTHING_MORE, name: bytes };
    return writeFetch(body, member.peer.buffer, offset);
  }

  #blank(member: Member, rank: number): ReplicaReport {
    return {
      node: member.id,
      name: member.name,
      role: rank < this.#parts.copies ? "primary" : "fallback",
      healthy: member.healthy,
      state: "unreachable",
      complete: false,
      etag: "",
      siblings: 0,
    };
  }

  #readHere(place: number): void {
    const { replication } = this.#parts;
    const isComplete = replication.isCompletePrimary(this.#partition);
    replication.objects.read(this.#name, (outcome) => {
      if (outcome.status === "found") this.#report(place, isComplete, outcome.set);
      else if (outcome.status === "absent") this.#report(place, isComplete, null);
      this.#answered();
    });
  }

  replied(place: number, frame: FrameView): void {
    const isRead = readFetched(frame.bytes, frame.start, frame.end, reply);
    const isAnswer = frame.status === STATUS_DONE || frame.status === STATUS_ABSENT;
    if (isRead && isAnswer) {
      this.#report(place, reply.isComplete, reply.hasSet ? setOf(reply.set) : null);
    }
    this.#answered();
  }

  failed(_place: number, _reason: "unreachable" | "closed" | "timeout"): void {
    this.#answered();
  }

  #report(place: number, complete: boolean, set: VersionSet | null): void {
    const shown = set === null ? [] : shownVersions(set, this.#parts.nowMs);
    this.#reports[place] = {
      ...this.#reports[place],
      state: set === null ? "empty" : "holds",
      complete,
      etag: set === null ? "" : etagOf(set.head, shown),
      siblings: shown.length,
    };
  }

  #answered(): void {
    if (--this.#waiting > 0) return;
    const { layout } = this.#parts;
    this.#done({
      position: positionText(this.#name),
      partition: this.#partition,
      partitions: layout.partitions,
      layout: layout.number,
      preference: this.#reports,
    });
  }
}

function positionText(name: ObjectName): string {
  const words = [name.position0, name.position1, name.position2, name.position3];
  return words.map((word) => word.toString(16).padStart(8, "0")).join("");
}
