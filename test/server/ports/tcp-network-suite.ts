/**
 * The real network over loopback, on every runtime: the contract of the port, and links on top of
 * it.
 */

import { KIND_FETCH, REPLY_BIT } from "../../../core/frame.ts";
import { systemClock } from "../../../server/ports/clock.ts";
import type { Listener, Socket, SocketHandler } from "../../../server/ports/network.ts";
import { systemRandom } from "../../../server/ports/random.ts";
import { formatAddress, parseAddress, tcpNetwork } from "../../../server/ports/tcp-network.ts";
import { Peers } from "../../../server/wire/peers.ts";
import { SeededRandom } from "../../random.ts";
import type { Case } from "../../suite.ts";
import { concat, frameOf, helloOf, RawLink } from "../wire/wire-world.ts";

const LOOPBACK = "127.0.0.1:0";
const silent = { info: () => {}, warn: () => {}, error: () => {} };

/** A handler that keeps what happened, and lets a test wait for it. */
class Witness implements SocketHandler {
  socket: Socket | null = null;
  opens = 0;
  drains = 0;
  closes: string[] = [];
  receivedBytes = 0;
  onBytes: (bytes: Uint8Array) => void = () => {};

  opened(): void {
    this.opens++;
  }
  received(bytes: Uint8Array): void {
    this.receivedBytes += bytes.length;
    this.onBytes(bytes);
  }
  drained(): void {
    this.drains++;
  }
  closed(reason: string): void {
    this.closes.push(reason);
  }
}

async function until(reached: () => boolean, what: string): Promise<void> {
  const giveUp = Date.now() + 20_000;
  while (!reached()) {
    if (Date.now() > giveUp) throw new Error(`waited 20 s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function listen(address: string, accept: (socket: Socket) => SocketHandler): Promise<Listener> {
  return new Promise((resolve, reject) => {
    tcpNetwork.listen(address, accept, (listener, error) => {
      if (listener === null) reject(new Error(error));
      else resolve(listener);
    });
  });
}

async function connectedPair(): Promise<{ listener: Listener; near: Witness; far: Witness }> {
  const near = new Witness();
  const far = new Witness();
  const listener = await listen(LOOPBACK, (socket) => {
    far.socket = socket;
    return far;
  });
  near.socket = tcpNetwork.connect(listener.address, near);
  await until(() => near.opens + far.opens === 2, "both ends to open");
  return { listener, near, far };
}

function node(digit: string): Peers {
  const ports = { clock: systemClock, random: systemRandom, network: tcpNetwork, log: silent };
  const identity = { clusterId: () => "c0ffee", nodeId: digit.repeat(16), name: digit, secret: null };
  const peers = new Peers(ports, identity, { limits: { handshakeMs: 2_000 } });
  peers.onMessage("echo", (body, _from, reply) => reply(body));
  peers.onRequest(KIND_FETCH, (frame, connection) => {
    const kind = KIND_FETCH | REPLY_BIT;
    const length = frame.end - frame.start;
    const offset = connection.reserve(kind, 0, 0, frame.correlation, 0, length);
    if (offset >= 0) connection.buffer.set(frame.bytes.subarray(frame.start, frame.end), offset);
  });
  return peers;
}

function listening(peers: Peers): Promise<string> {
  return new Promise((resolve, reject) => {
    peers.listen(
      LOOPBACK,
      (address, error) => (error === "" ? resolve(address) : reject(new Error(error))),
    );
  });
}

/** A sum in which each byte and its place count, of more bytes than those before. */
function summed(before: number, bytes: Uint8Array, length: number): number {
  let sum = before;
  for (let index = 0; index < length; index++) sum = (Math.imul(sum, 31) + bytes[index]) | 0;
  return sum;
}

export const suite: Case[] = [
  {
    name: "parseAddress() reads hosts, IPv4 and IPv6, and nothing else",
    run(check) {
      check.same(parseAddress("127.0.0.1:7071"), { host: "127.0.0.1", port: 7071 }, "IPv4");
      check.same(parseAddress("[::1]:65535"), { host: "::1", port: 65_535 }, "IPv6");
      check.same(parseAddress("node-1.example:0"), { host: "node-1.example", port: 0 }, "a name");
      for (
        const bad of ["", "7071", ":7071", "a:", "a:65536", "a:-1", "::1:7071", "a b:1", "a:1:2"]
      ) {
        check.equal(parseAddress(bad), null, `"${bad}"`);
      }
      for (const good of ["127.0.0.1:1", "[::1]:2", "n:3"]) {
        const place = parseAddress(good);
        check.equal(place && formatAddress(place.host, place.port), good, good);
      }
    },
  },
  {
    name: "listen() tells the port that it found, or one sentence",
    async run(check) {
      const listener = await listen(LOOPBACK, () => new Witness());
      check.ok(/^127\.0\.0\.1:[1-9]\d*$/.test(listener.address), listener.address);
      const sentence = async (address: string): Promise<string> => {
        try {
          (await listen(address, () => new Witness())).close();
          return "";
        } catch (error) {
          return error instanceof Error ? error.message : "";
        }
      };
      const taken = await sentence(listener.address);
      const wanted =
        `Cannot listen on ${listener.address}: another process listens there (EADDRINUSE)`;
      check.equal(taken, wanted, "a port in use");
      check.ok(
        (await sentence("nonsense")).startsWith('Cannot listen on "nonsense"'),
        "no address",
      );
      listener.close();
      await until(() => true, "closing");
    },
  },
  {
    name: "connect() to nobody, or to no address, closes once, later, with a sentence",
    async run(check) {
      const listener = await listen(LOOPBACK, () => new Witness());
      const address = listener.address;
      listener.close();
      await new Promise((resolve) => setTimeout(resolve, 20));
      for (
        const [target, says] of [
          [address, "nothing listens there"],
          ["nonsense", "host:port is wanted"],
        ]
      ) {
        const witness = new Witness();
        tcpNetwork.connect(target, witness);
        check.equal(witness.closes.length, 0, "not before it returned");
        await until(() => witness.closes.length > 0, "closed");
        await new Promise((resolve) => setTimeout(resolve, 20));
        check.equal(witness.closes.length, 1, "once");
        check.ok(witness.closes[0].includes(says), witness.closes[0]);
        check.equal(witness.opens, 0, "never opened");
      }
    },
  },
  {
    name: "write() carries 16 MB unharmed while its buffers are scribbled over once released",
    async run(check) {
      const { listener, near, far } = await connectedPair();
      const random = new SeededRandom(5);
      let sent = 0;
      let sum = 0;
      let got = 0;
      let released = 0;
      let writes = 0;
      let inWrite = false;
      let early = 0;
      far.onBytes = (bytes) => {
        got = summed(got, bytes, bytes.length);
        bytes.fill(0xdb);
      };
      const release = (bytes: Uint8Array): void => {
        if (inWrite) early++;
        released++;
        bytes.fill(0xdb);
      };
      while (sent < 16_000_000) {
        const length = 1 + random.below(random.chance(1, 10) ? 2_000_000 : 3_000);
        const bytes = new Uint8Array(length + 10);
        bytes.fill(random.uint32());
        bytes[0] = writes;
        sum = summed(sum, bytes, length);
        inWrite = true;
        near.socket?.write(bytes, length, release);
        inWrite = false;
        writes++;
        sent += length;
        if (writes % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
      }
      await until(() => far.receivedBytes >= sent && released >= writes, "all bytes");
      check.same([far.receivedBytes, got], [sent, sum], "every byte, in order");
      check.same([released, early], [writes, 0], "each buffer released once, never at once");
      check.equal(near.socket?.pendingBytes(), 0, "nothing is pending");
      check.ok(near.drains > 0, "and that was told");
      near.socket?.close("done");
      listener.close();
      await until(() => near.closes.length + far.closes.length === 2, "both ends to close");
    },
  },
  {
    name: "pause() holds the sender back, resume() lets everything through",
    async run(check) {
      const { listener, near, far } = await connectedPair();
      far.socket?.pause();
      const block = new Uint8Array(1 << 20);
      for (let count = 0; count < 64; count++) near.socket?.write(block, block.length, () => {});
      await new Promise((resolve) => setTimeout(resolve, 200));
      check.ok(far.receivedBytes < 16 << 20, `${far.receivedBytes} bytes came while paused`);
      check.ok((near.socket?.pendingBytes() ?? 0) > 16 << 20, "the rest is pending");
      far.socket?.resume();
      await until(() => far.receivedBytes === 64 << 20, "all bytes");
      await until(() => near.socket?.pendingBytes() === 0, "nothing pending");
      near.socket?.close("done");
      listener.close();
      await until(() => near.closes.length + far.closes.length === 2, "both ends to close");
      check.same([near.closes.length, far.closes.length], [1, 1], "once each");
    },
  },
  {
    name: "close() is told once at both ends, later, and nothing is told after it",
    async run(check) {
      const { listener, near, far } = await connectedPair();
      far.socket?.write(new Uint8Array(10), 10, () => {});
      near.socket?.close("had enough");
      near.socket?.close("again");
      near.socket?.write(new Uint8Array(10), 10, () => {});
      check.equal(near.closes.length, 0, "not before close() returned");
      await until(() => near.closes.length + far.closes.length === 2, "both ends to close");
      await new Promise((resolve) => setTimeout(resolve, 30));
      check.same([near.closes, far.closes.length], [["had enough"], 1], "once each");
      check.equal(near.receivedBytes, 0, "nothing was received after close()");
      listener.close();
    },
  },
  {
    name: "links over TCP answer ten thousand requests of all sizes with their own bodies",
    async run(check) {
      const [n1, n2] = [node("1"), node("2")];
      const address = await listening(n2);
      const peer = n1.peer("2".repeat(16), address);
      const random = new SeededRandom(9);
      let replied = 0;
      let wrong = 0;
      let failed = 0;
      const lengths: number[] = [];
      const handler = {
        replied: (tag: number, frame: { bytes: Uint8Array; start: number; end: number }) => {
          replied++;
          const { bytes, start, end } = frame;
          if (end - start !== lengths[tag]) wrong++;
          for (let at = start; at < end; at++) {
            if (bytes[at] !== ((tag + at - start) & 255)) wrong++;
          }
        },
        failed: () => void failed++,
      };
      for (let tag = 0; tag < 10_000; tag++) {
        const length = random.below(tag % 200 === 0 ? 1_000_000 : 200);
        lengths.push(length);
        const offset = peer.request(KIND_FETCH, 0, 0, length, 20_000, handler, tag);
        if (offset < 0) throw new Error("not accepted");
        for (let index = 0; index < length; index++) peer.buffer[offset + index] = tag + index;
        if (tag % 50 === 0) await until(() => tag - replied < 300, "answers");
      }
      await until(() => replied + failed === 10_000, "all answers");
      check.same([replied, failed, wrong], [10_000, 0, 0], "each with its own bytes");
      let said: unknown = null;
      peer.call("echo", { deep: [1, Uint8Array.of(2)] }, 5_000, (reply) => (said = reply));
      await until(() => said !== null, "a message");
      check.same(said, { deep: [1, Uint8Array.of(2)] }, "and a message");
      check.equal(n2.acceptedCount, 1, "over one connection");
      n1.close();
      n2.close();
      await until(() => n2.acceptedCount === 0 && !peer.connected, "links to close");
    },
  },
  {
    name: "garbage over TCP closes that connection and no other",
    async run(check) {
      const server = node("3");
      const address = await listening(server);
      const random = new SeededRandom(11);
      for (let round = 0; round < 60; round++) {
        const link = new RawLink();
        link.attach(tcpNetwork.connect(address, link));
        await until(() => link.isOpen, "an open link");
        const garbage = new Uint8Array(100 + random.below(100_000));
        random.fill(garbage);
        garbage.fill(0xff, 0, 4);
        link.send(round % 2 === 0 ? garbage : concat(helloOf(), garbage));
        await until(() => link.closedWhy !== "", "garbage to close the link");
      }
      const next = new RawLink();
      next.attach(tcpNetwork.connect(address, next));
      await until(() => next.isOpen, "an open link");
      next.send(concat(helloOf(), frameOf(KIND_FETCH, 3, Uint8Array.of(1, 2))));
      await until(() => next.frames.length === 2, "answers");
      check.same([...next.frames[1].body], [1, 2], "the next client is served");
      check.equal(server.counters.malformed, 60, "each was counted");
      server.close();
      await until(() => next.closedWhy !== "", "the end");
    },
  },
];
