/**
 * Reads version sets: the name's entry in the index, then the object buffer, then the record.
 *
 *   read ─▶ PositionIndex ─▶ ObjectBuffer ─▶ RecordReader          found · absent · damaged · failed
 *                                │ held              │ read
 *   locate ◀── proven name ◀─────┴───────────────────┘
 *
 * Position and tag do not prove a name: the record does, and each record that a search meets is asked.
 * What is damaged is answered as damage unless another record answers for the name, never as absent.
 * The name that was read last stays proven: a write that follows does not read its record again.
 */

import { ObjectName } from "../../core/object-name.ts";
import { DiskError } from "../disk.ts";
import type { EntryKey, EntryOutcome, ReadOutcome, VersionSet } from "../engine.ts";
import type { Payload } from "../large-payload.ts";
import { ObjectBuffer } from "../object-buffer.ts";
import type { RecordMap } from "./record-map.ts";
import type { RecordStatus } from "./record-reader.ts";

const ABSENT = { status: "absent" } as const;

export class SetReader {
  /** Damaged records that were met, by whomever. */
  damaged: number;
  readonly #map: RecordMap;
  readonly #buffer: ObjectBuffer;
  /** The name that was read last, and where its record lies. */
  #provenName: ObjectName | null;
  #provenSegment: number;
  #provenOffset: number;

  /** @param bufferBytes of recent sets that are held in memory; 0: none */
  constructor(map: RecordMap, bufferBytes: number) {
    this.damaged = 0;
    this.#map = map;
    this.#buffer = new ObjectBuffer(bufferBytes);
    this.#provenName = null;
    this.#provenSegment = 0;
    this.#provenOffset = 0;
  }

  /** Reads a set, or its head alone. */
  read(name: ObjectName, payloads: boolean): ReadOutcome {
    try {
      return this.#read(name, payloads);
    } catch (error) {
      return unreadable(error);
    }
  }

  /** Reads the set of an entry whose name is not known. */
  readEntry(
    entry: EntryKey,
    done: (name: ObjectName | null, outcome: ReadOutcome) => void,
  ): void {
    let name: ObjectName | null = null;
    let outcome: ReadOutcome = ABSENT;
    try {
      if (this.#seekEntry(entry)) {
        const { reader, segment, offset, length } = this.#map;
        const status = reader.peek(segment, offset, length, null);
        if (status === "found") name = new ObjectName(reader.name.slice());
        outcome = status === "found" ? this.#collect(true) : this.#damage(reader.detail);
        // Memory must not hide from a repair that the disk needs it.
        if (outcome.status === "damaged") this.#buffer.forget(entry.position1, segment, offset);
      }
    } catch (error) {
      outcome = unreadable(error);
    }
    done(name, outcome);
  }

  /** Name and head of an entry whose name is not known, without its payloads. */
  readEntryHead(entry: EntryKey): EntryOutcome {
    try {
      if (!this.#seekEntry(entry)) return ABSENT;
      if (this.peek() !== "found") return this.#damage(this.#map.reader.detail);
      const { name, head } = this.#map.reader;
      return { status: "found", name: name.slice(), head: head.slice() };
    } catch (error) {
      return unreadable(error);
    }
  }

  /** Puts the index's cursor on the entry of a name, if there is one. @throws DiskError */
  locate(name: ObjectName): boolean {
    const { position0, position1, tag } = name;
    if (name === this.#provenName && this.#map.index.seek(position0, position1, tag)) {
      const { segment, offset } = this.#map;
      // A place in the log is used once: what was read there is still there.
      if (segment === this.#provenSegment && offset === this.#provenOffset) return true;
    }
    return this.#map.find(position0, position1, tag, name.bytes);
  }

  /** Has the map's reader hold the record under the cursor. @throws DiskError */
  peek(): RecordStatus {
    const { reader, segment, offset, length } = this.#map;
    return reader.peek(segment, offset, length, null);
  }

  /** A set was written there: the next read looks in memory. */
  written(name: ObjectName, set: VersionSet, segment: number, offset: number): void {
    this.#buffer.hold(name, set, segment, offset);
  }

  #read(name: ObjectName, payloads: boolean): ReadOutcome {
    const { index, reader } = this.#map;
    if (!index.seek(name.position0, name.position1, name.tag)) return ABSENT;
    let damage = "";
    do {
      const { segment, offset, length } = this.#map;
      const held = this.#buffer.find(name, segment, offset, payloads);
      if (held !== undefined) {
        this.#prove(name, segment, offset);
        return { status: "found", set: held };
      }
      const status = reader.peek(segment, offset, length, name.bytes);
      if (status === "damaged") damage = reader.detail;
      else if (status === "found") {
        this.#prove(name, segment, offset);
        const outcome = this.#collect(payloads);
        if (payloads && outcome.status === "found") {
          this.#buffer.hold(name, outcome.set, segment, offset);
        }
        return outcome;
      }
    } while (index.next());
    return damage === "" ? ABSENT : this.#damage(damage);
  }

  /** The set of the record that the reader holds. */
  #collect(payloads: boolean): ReadOutcome {
    const { reader } = this.#map;
    const { versions } = reader;
    const head = reader.bytes.slice(reader.headStart, reader.tableStart);
    const collected: (Payload | null)[] = [];
    for (let index = 0; index < versions; index++) {
      const payload = payloads ? reader.payload(index) : null;
      if (payloads && payload === null) return this.#damage(reader.detail);
      collected.push(payload);
    }
    return { status: "found", set: { head, payloads: collected } };
  }

  #damage(detail: string): { readonly status: "damaged"; readonly detail: string } {
    this.damaged++;
    return { status: "damaged", detail };
  }

  #prove(name: ObjectName, segment: number, offset: number): void {
    this.#provenName = name;
    this.#provenSegment = segment;
    this.#provenOffset = offset;
  }

  #seekEntry(entry: EntryKey): boolean {
    const { index } = this.#map;
    if (!index.seek(entry.position0, entry.position1, entry.tag)) return false;
    const first = index.at;
    do {
      if (this.#map.hasDigest(entry.digest0 ?? 0, entry.digest1 ?? 0)) return true;
    } while (index.next());
    index.at = first;
    return true;
  }
}

/** The disk did not answer. */
export function unreadable(error: unknown): { readonly status: "failed"; readonly detail: string } {
  if (!(error instanceof DiskError)) throw error;
  return { status: "failed", detail: `read failed: ${error.message}` };
}
