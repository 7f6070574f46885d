/**
 * server/PROTOCOL.md on the hot bodies: its worked example against a running node, its numbers
 * against the sources.
 */

import { wholeBytes } from "../../../storage/large-payload.ts";
import { readFileSync } from "node:fs";
import t from "tap";
import * as replica from "../../../core/replica-frames.ts";
import * as request from "../../../core/request-frames.ts";
import { SimulatedClock } from "../../simulation/clock.ts";
import { concat, helloOf, RawLink } from "../wire/wire-world.ts";
import { nameOf, SmallCluster } from "./small-cluster.ts";

const text = readFileSync(new URL("../../../server/PROTOCOL.md", import.meta.url), "utf8");
const section = text.slice(text.indexOf("## 5."), text.indexOf("## 6."));

/**
 * The bytes of a block that is fenced as "hex <name>": two digits each, up to the comment column.
 */
function example(name: string): Uint8Array {
  const block = new RegExp("```hex " + name + "\n([^`]*)```").exec(text)?.[1] ?? "";
  const rows = block.split("\n").map((row) => row.split("   ")[0]);
  return Uint8Array.from(rows.join(" ").match(/[0-9a-f]{2}/g) ?? [], (pair) => parseInt(pair, 16));
}

class Tape extends RawLink {
  bytes: Uint8Array = new Uint8Array(0);
  override received(bytes: Uint8Array): void {
    this.bytes = concat(this.bytes, bytes);
  }
}

t.test("a node answers the worked example of the hot bodies byte by byte", (tt) => {
  const cluster = new SmallCluster(1);
  const [node] = cluster.nodes;
  const tape = new Tape();
  const clock = new SimulatedClock(cluster.world, "raw");
  tape.attach(cluster.network.port("raw", clock).connect("n0:7071", tape));
  cluster.run(5);
  tape.send(helloOf({ cluster: node.membership.clusterId, node: "e".repeat(16), role: "peer" }));
  cluster.run(5);
  for (
    const [asked, answered] of [
      ["replicate", "replicated"],
      ["fetch-digest", "fetched-digest"],
      ["fetch-version", "fetched-version"],
      ["replicate", "replicated"],
    ] as const
  ) {
    tape.bytes = new Uint8Array(0);
    const bytes = example(asked);
    // Numbers rise along a connection: the one that comes again gets another.
    if (asked === "replicate" && node.held(nameOf("b/k")) !== null) bytes[8] = 10;
    tape.send(bytes);
    cluster.run(5);
    const wanted = example(answered);
    wanted[8] = bytes[8];
    tt.ok(wanted.length > 16, `${answered} is in the document`);
    tt.same([...tape.bytes], [...wanted], asked);
  }
  const payload = wholeBytes(node.held(nameOf("b/k"))?.payloads[0] ?? new Uint8Array(0));
  tt.equal(new TextDecoder().decode(payload), "\ntext/plainhi", "the value is held");
  tt.end();
});

/** Lines of the document that begin so. */
function hasRow(number: number, words: string): boolean {
  return section.split("\n").some((line) => line.startsWith(`| ${number} | ${words}`));
}

t.test("statuses, codes, flags and words in the document are those of the sources", (tt) => {
  let statuses = 0;
  for (const [name, value] of Object.entries(replica)) {
    const status = /^STATUS_(.*)$/.exec(name)?.[1];
    if (status === undefined) continue;
    statuses++;
    tt.ok(hasRow(Number(value), status.toLowerCase().replace("_", " ")), name);
  }
  tt.equal(statuses, 10, "all of them");
  request.RESULT_CODES.forEach((code, place) => {
    if (code !== "") tt.match(section.replaceAll("\n", " "), `${place} \`${code}\``, code);
  });
  const { QUORUM_ALL, QUORUM_QUORUM, QUORUM_ONE, QUORUM_DEFAULT } = request;
  const words =
    `${QUORUM_ALL} *all*, ${QUORUM_QUORUM} *quorum*, ${QUORUM_ONE} *one*, ${QUORUM_DEFAULT} *as`;
  tt.match(section, words, "quorums");
  const { PUT_DELETE, PUT_RETURN_BODY, PUT_IF_ABSENT, PUT_FORWARDED } = request;
  const flags = `${PUT_DELETE} delete · ${PUT_RETURN_BODY} return the body · ` +
    `${PUT_IF_ABSENT} only if there is none · ${PUT_FORWARDED} handed on`;
  tt.match(section, flags, "flags of PUT");
  const { PURPOSE_WRITE, PURPOSE_REPAIR, PURPOSE_HINT, PURPOSE_ANTI_ENTROPY } = replica;
  const purposes =
    `${PURPOSE_WRITE} write, ${PURPOSE_REPAIR} repair, ${PURPOSE_HINT} hint handed over, ` +
    `${PURPOSE_ANTI_ENTROPY} anti-entropy`;
  tt.match(section, purposes, "purposes");
  tt.end();
});
