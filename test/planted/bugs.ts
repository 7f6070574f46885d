/**
 * Bugs that somebody could write into storage, each a change of a few words: the tests must notice every
 * one. A change whose words are not in the file any more fails the run. Only bugs stand here that the
 * suites notice at their everyday size, within a minute.
 */

export interface Bug {
  readonly name: string;
  readonly file: string;
  /** Words that stand in the file once, and what takes their place. */
  readonly from: string;
  readonly to: string;
}

export const BUGS: readonly Bug[] = [
  {
    name: "no sync before a write is called durable",
    file: "storage/log/log-sync.ts",
    from: "this.#syncFrom(segments, 0, (error) => {",
    to: "this.#syncFrom([], 0, (error) => {",
  },
  {
    name: "a failed sync is taken for a success",
    file: "storage/log/log-sync.ts",
    from: "if (error !== null) done(error);\n      else this",
    to: "this",
  },
  {
    name: "a write is called handed over before it is",
    file: "storage/log/hand-over.ts",
    from: "if (!this.#writer.isWaiting) {\n      done(true);",
    to: "if (this.#writer !== null) {\n      done(true);",
  },
  {
    name: "a segment is deleted before what replaced it is durable",
    file: "storage/log/log-sync.ts",
    from: "this.#rounds.push(round);",
    to: "this.#rounds.push(round);\n    this.#delete(round.dead.splice(0));",
  },
  {
    name: "a sync counts before the one that began earlier has ended",
    file: "storage/log/log-sync.ts",
    from: "for (let round = this.#rounds[0]; round?.error !== undefined; round = this.#rounds[0]) {\n      this.#rounds.shift();",
    to: "for (const round of this.#rounds.filter(({ error }) => error !== undefined)) {\n" +
      "      this.#rounds.splice(this.#rounds.indexOf(round), 1);\n      if (round.error === undefined) continue;",
  },
  {
    name: "a segment is deleted that holds a remove which an older one needs",
    file: "storage/log/segment.ts",
    from: "(isOldest || segment.removeBytes === 0)",
    to: "(isOldest || segment.removeBytes >= 0)",
  },
  {
    name: "a segment is deleted that the index snapshot needs",
    file: "storage/log/segment.ts",
    from: "&& !segment.isPinned &&",
    to: "&&",
  },
  {
    name: "the checksum of a payload is not looked at",
    file: "storage/log/record-reader.ts",
    from: "if (start === end || crc32c(bytes, start, end) === wanted) return true;",
    to: "if (start === end || crc32c(bytes, start, end) !== -1) return true;",
  },
  {
    name: "the checksum of a record's content is not looked at",
    file: "storage/log/record-reader.ts",
    from: "crc32c(bytes, HEADER_BYTES, this.inlineStart) !== header.contentChecksum",
    to: "crc32c(bytes, HEADER_BYTES, this.inlineStart) === -1",
  },
  {
    name: "the folder is not synced when a segment is made",
    file: "storage/log/segment-supply.ts",
    from: "try {\n      this.#disk.syncFolder(this.#folder);\n    } catch (error) {\n      this.discard",
    to: "try {\n      this.#disk.exists(this.#folder);\n    } catch (error) {\n      this.discard",
  },
  {
    name: "the durable position is not asked at the start: damage cuts what follows",
    file: "storage/log/durable-boundary.ts",
    from: "return offset < this.offset;",
    to: "return offset < 0;",
  },
  {
    name: "a torn tail is not checked whole",
    file: "storage/log/recovery.ts",
    from: "(isDurable || scan.isWhole(at))",
    to: "(isDurable || at >= 0)",
  },
  {
    name: "a torn tail stays where it is",
    file: "storage/log/recovery.ts",
    from: "segment.file.truncate(segment.end);",
    to: "segment.file.size();",
  },
  {
    name: "what a failed sync left in the kernel is believed at the start",
    file: "storage/log/recovery.ts",
    from: "this.#rewrite(segment, segment.number === first ? offset : 0);",
    to: "",
  },
  {
    name: "what was recovered is not synced",
    file: "storage/log/recovery.ts",
    from: "segment.file.syncNow();",
    to: "",
  },
  {
    name: "a full disk is not noticed in advance",
    file: "storage/log/watermark.ts",
    from: "this.#credit -= bytes;\n    return this.#credit >= 0",
    to: "this.#credit -= bytes;\n    return this.#credit < Infinity",
  },
  {
    name: "a moved record does not enter the index",
    file: "storage/log/record-mover.ts",
    from: "this.#group(() => this.#copyObject(-1));\n      this.#map.put(this.#writer.header, true);",
    to: "this.#group(() => this.#copyObject(-1));",
  },
  {
    name: "counters are not reserved before they are given",
    file: "storage/actor.ts",
    from: "this.#write(end, this.#stampBoundMs, this.stampLogical, 0);",
    to: "",
  },
  {
    name: "a replaced file is not synced before it is renamed",
    file: "storage/disk.ts",
    from: "file.syncNow();",
    to: "",
  },
  {
    name: "the end of a segment that its successor tells is not asked",
    file: "storage/log/recovery.ts",
    from: "const endAtLeast = this.#ends.get(segment.number) ?? 0;",
    to: "const endAtLeast = 0;",
  },
];
