/**
 * Up to where partitions have come that are on their way here, so that a restart does not begin anew.
 *
 *   u8 1 │ 3 × 0 │ u32 count │ u32 crc32c of all that follows │ count × { u32 partition, 2 × u32 position, u32 tag }
 *
 * What a cursor claims is durable before it is written. A file that cannot be read is no file: transfers begin
 * anew then, which is slow and not wrong.
 */

import { readU32, writeU32 } from "../../core/bytes.ts";
import { crc32c } from "../../core/crc32c.ts";
import { readFile, replaceFile, type Disk } from "../../storage/disk.ts";
import type { Cursor } from "./transfer-chunk.ts";

const PATH = "transfers";
const FORMAT = 1;
const HEADER = 12;
const ROW = 16;

export class TransferCursors {
  readonly #disk: Disk;
  readonly #cursors = new Map<number, Cursor>();

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** Takes over what was kept. */
  load(): void {
    const bytes = readFile(this.#disk, PATH);
    if (bytes === null || bytes.length < HEADER || bytes[0] !== FORMAT) return;
    const count = readU32(bytes, 4);
    if (bytes.length !== HEADER + count * ROW) return;
    if (readU32(bytes, 8) !== crc32c(bytes, HEADER, bytes.length)) return;
    for (let at = HEADER; at < bytes.length; at += ROW) {
      const position0 = readU32(bytes, at + 4);
      const position1 = readU32(bytes, at + 8);
      this.#cursors.set(readU32(bytes, at), { position0, position1, tag: readU32(bytes, at + 12) });
    }
  }

  get partitions(): number[] {
    return [...this.#cursors.keys()];
  }

  get(partition: number): Cursor | undefined {
    return this.#cursors.get(partition);
  }

  /** @throws DiskError */
  set(partition: number, cursor: Cursor): void {
    this.#cursors.set(partition, cursor);
    this.#save();
  }

  /** Forgets a partition that has come, or is not wanted any more. @throws DiskError */
  drop(partition: number): void {
    if (this.#cursors.delete(partition)) this.#save();
  }

  #save(): void {
    const bytes = new Uint8Array(HEADER + this.#cursors.size * ROW);
    bytes[0] = FORMAT;
    writeU32(bytes, 4, this.#cursors.size);
    let at = HEADER;
    for (const [partition, { position0, position1, tag }] of this.#cursors) {
      writeU32(bytes, at, partition);
      writeU32(bytes, at + 4, position0);
      writeU32(bytes, at + 8, position1);
      writeU32(bytes, at + 12, tag);
      at += ROW;
    }
    writeU32(bytes, 8, crc32c(bytes, HEADER, bytes.length));
    replaceFile(this.#disk, PATH, bytes);
  }
}
