/** Room for one head under way, and for where each of its versions came from; grows to what it was asked for. */

import type { VersionSet } from "../../storage/engine.ts";

export class SetScratch {
  bytes = new Uint8Array(16_384);
  /** A word a version. */
  sources = new Int32Array(1024);

  /** @param lengthMax bytes of the head that comes of both sets, and perhaps one version more */
  reserve(lengthMax: number, left: VersionSet, right: VersionSet): void {
    if (this.bytes.length < lengthMax) this.bytes = new Uint8Array(2 * lengthMax);
    const versions = left.payloads.length + right.payloads.length + 1;
    if (this.sources.length < versions) this.sources = new Int32Array(2 * versions);
  }
}
