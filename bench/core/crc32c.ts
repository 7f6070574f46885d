/**
 * How fast are payloads and records checked?
 *
 * CRC-32C stands over every record of the log, every payload on the wire and every chunk of a
 * transfer. 100 bytes are a small value, 4 KiB a middling one, 1 MiB the largest by default.
 * The reference is node:zlib's CRC-32: another polynomial by native code, the same length of answer.
 * (No runtime has CRC-32C itself.)
 */

import { crc32 } from "node:zlib";
import { crc32c } from "../../core/crc32c.ts";
import { SeededRandom } from "../../test/random.ts";
import { ask, keep, type Task } from "../question.ts";

const random = new SeededRandom(1);

function checking(title: string, length: number): Task {
  const bytes = new Uint8Array(length);
  random.fill(bytes);
  const works = [
    {
      name: "crc32c",
      run() {
        bytes[0]++;
        keep(crc32c(bytes, 0, length));
      },
    },
    {
      name: "node:zlib crc32",
      isReference: true,
      run() {
        bytes[0]++;
        keep(crc32(bytes));
      },
    },
  ];
  return { title, works };
}

await ask("How fast are payloads and records checked?", [
  checking("100 bytes", 100),
  checking("4 KiB", 4 << 10),
  checking("1 MiB", 1 << 20),
]);
