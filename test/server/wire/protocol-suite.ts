/** server/PROTOCOL.md: its worked example, sent to a running node, and its tables. */

import { readFileSync } from "node:fs";
import * as frame from "../../../core/frame.ts";
import { wireLimitDefaults } from "../../../server/wire/wiring.ts";
import type { Socket, SocketHandler } from "../../../server/ports/network.ts";
import type { Case } from "../../suite.ts";
import { SimulatedClock } from "../../simulation/clock.ts";
import { concat, WireWorld } from "./wire-world.ts";

const text = readFileSync(new URL("../../../server/PROTOCOL.md", import.meta.url), "utf8");

/**
 * The bytes of a block that is fenced as "hex <name>": two digits each, up to the comment column.
 */
function example(name: string): Uint8Array {
  const block = new RegExp("```hex " + name + "\n([^`]*)```").exec(text)?.[1] ?? "";
  const rows = block.split("\n").map((row) => row.split("   ")[0]);
  return Uint8Array.from(rows.join(" ").match(/[0-9a-f]{2}/g) ?? [], (pair) => parseInt(pair, 16));
}

/** A socket's bytes, all in one. */
class Tape implements SocketHandler {
  #bytes: Uint8Array = new Uint8Array(0);
  isClosed = false;
  opened(): void {}
  received(bytes: Uint8Array): void {
    this.#bytes = concat(this.#bytes, bytes);
  }
  drained(): void {}
  closed(): void {
    this.isClosed = true;
  }
  cut(): Uint8Array {
    const bytes = this.#bytes;
    this.#bytes = new Uint8Array(0);
    return bytes;
  }
}

function dial(world: WireWorld): { tape: Tape; ask: (name: string) => Uint8Array } {
  const tape = new Tape();
  const clock = new SimulatedClock(world.world, "raw");
  const socket: Socket = world.network.port("raw", clock).connect("n2:7071", tape);
  world.world.run(20);
  const ask = (name: string): Uint8Array => {
    const bytes = example(name);
    socket.write(bytes, bytes.length, () => {});
    world.world.run(20);
    return tape.cut();
  };
  return { tape, ask };
}

export const suite: Case[] = [
  {
    name: "PROTOCOL.md: a node answers the worked example byte by byte",
    run(check) {
      const world = new WireWorld(1);
      world.node("n2", "2");
      const { tape, ask } = dial(world);
      check.same(ask("hello"), example("welcome"), "welcome");
      check.same(ask("requests"), example("replies"), "replies");
      check.same(ask("request-unknown"), example("reply-unknown"), "unknown type");
      check.equal(tape.isClosed, false, "still open");
      const refused = dial(world);
      check.same(refused.ask("hello-refused"), example("refusal"), "refusal");
      check.equal(refused.tape.isClosed, true, "and closed");
    },
  },
  {
    name: "PROTOCOL.md: a node sends the HELLO of the worked example",
    run(check) {
      const world = new WireWorld(2);
      const tape = new Tape();
      const clock = new SimulatedClock(world.world, "n2");
      world.network.port("n2", clock).listen("n2:7071", () => tape, () => {});
      const n1 = world.node("n1", "1");
      n1.peers.peer("2".repeat(16), "n2:7071").call("echo", 1, 1_000, () => {});
      world.world.run(20);
      check.same(tape.cut(), example("hello"), "hello");
    },
  },
  {
    name: "PROTOCOL.md: kinds, statuses and limits are those of the sources",
    run(check) {
      for (const [name, number] of Object.entries(frame)) {
        const kind = /^KIND_(.*)$/.exec(name)?.[1];
        if (kind !== undefined) check.ok(text.includes(`| ${String(number)} | ${kind} |`), name);
        if (/^STATUS_(?!OK|WIRE)/.test(name)) {
          check.ok(text.includes(`\`0x${Number(number).toString(16)}\``), name);
        }
      }
      const { outBytesMax, replyBytesPause, replyBytesMax, stallMs, connectionsMax, handshakeMs } =
        wireLimitDefaults;
      for (
        const phrase of [
          `has ${outBytesMax >> 20} MiB waiting for a peer`,
          `has ${replyBytesPause >> 20} MiB of replies waiting`,
          `has ${replyBytesMax >> 20} MiB waiting, is cut off`,
          `nothing for\n${stallMs / 1000} s`,
          `takes ${connectionsMax.toLocaleString("en-US")} connections`,
          `has ${handshakeMs / 1000} s`,
          `at most ${frame.FRAME_BYTES_MAX >> 20} MiB`,
        ]
      ) {
        check.ok(text.includes(phrase), phrase);
      }
    },
  },
];
