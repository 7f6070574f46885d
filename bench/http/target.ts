/**
 * What does it cost to read an object's name from a request's URL?
 *
 * What HTTP pays on top of the ring: the path found, bucket and key as bytes, the name's position and
 * tag. 16 bytes of name; once plain, once with each eighth byte percent-encoded.
 * The reference is what one would write without thinking: `new URL`, split, decodeURIComponent,
 * TextEncoder, and MD5 of node:crypto.
 */

import { createHash } from "node:crypto";
import { pathStart, readTarget } from "../../server/http/target.ts";
import { ask, keep, type Task } from "../question.ts";

const NAMES = 1024;
const PREFIX = "/kv/";
const encoder = new TextEncoder();

function reading(title: string, key: (index: number) => string): Task {
  const urls = Array.from({ length: NAMES }, (_, index) => {
    return `http://127.0.0.1:7070${PREFIX}cart/${key(index)}?r=2`;
  });
  let next = 0;
  const works = [
    {
      name: "pathStart, readTarget",
      run() {
        const url = urls[next++ % NAMES];
        keep(readTarget(url, pathStart(url) + PREFIX.length).name?.tag ?? 0);
      },
    },
    {
      name: "new URL, decodeURIComponent, MD5",
      isReference: true,
      run() {
        const [, , bucket, text] = new URL(urls[next++ % NAMES]).pathname.split("/");
        const bytes = encoder.encode(`${bucket}/${decodeURIComponent(text)}`);
        keep(createHash("md5").update(bytes).digest()[0]);
      },
    },
  ];
  return { title, works };
}

await ask("What does it cost to read a name from a URL?", [
  reading("plain", (index) => `user-${100_000 + index}`),
  reading("percent-encoded", (index) => `user%3A${10_000 + index}%20`),
]);
