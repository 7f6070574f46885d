/** The network with TLS over loopback, on every runtime: who comes in, who does not, and what either end knows. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";
import { systemClock } from "../../../server/ports/clock.ts";
import type { Listener, Network, Socket, SocketHandler } from "../../../server/ports/network.ts";
import { systemRandom } from "../../../server/ports/random.ts";
import { parseAddress, tcpNetwork } from "../../../server/ports/tcp-network.ts";
import { Tls, type TlsConfig } from "../../../server/ports/tls.ts";
import { TlsNetwork } from "../../../server/ports/tls-network.ts";
import { Peers } from "../../../server/wire/peers.ts";
import { SeededRandom } from "../../random.ts";
import { Authority } from "../../certificates.ts";
import type { Case, Check } from "../../suite.ts";

const LOOPBACK = "127.0.0.1:0";
const ours = new Authority("ours");
const theirs = new Authority("theirs");

/** Keeps what happened at one end. */
class End implements SocketHandler {
  socket: Socket | null = null;
  isOpen = false;
  closes: string[] = [];
  drains = 0;
  bytes = 0;
  sum = 0;
  opened(): void {
    this.isOpen = true;
  }
  received(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    for (const byte of bytes) this.sum = (Math.imul(this.sum, 31) + byte) | 0;
  }
  drained(): void {
    this.drains++;
  }
  closed(reason: string): void {
    this.closes.push(reason);
  }
}

const VALID = { daysFrom: -1, daysTo: 10 };

interface NodeWish extends Partial<TlsConfig> {
  /** What its certificate is made out to, and when it is valid, in days from now. */
  readonly name?: string;
  readonly times?: typeof VALID;
  /** How far its clock is off. */
  readonly clockMs?: number;
}

/** Folders and listeners of one case, gone when it is over. */
class Bench {
  readonly log: string[] = [];
  readonly #ends: (() => void)[] = [];

  network(from: Authority, trusts: string | null, more: NodeWish = {}): TlsNetwork {
    return new TlsNetwork(this.tls(from, trusts, more)[0]);
  }

  /** The TLS of a node, and a way to write its files anew. */
  tls(from: Authority, trusts: string | null, more: NodeWish = {}): [Tls, (cert: string, key: string) => void] {
    const folder = mkdtempSync(join(tmpdir(), "halo-tls-"));
    this.#ends.push(() => rmSync(folder, { recursive: true }));
    const file = (name: string): { place: string; path: string } => ({ place: name, path: join(folder, name) });
    const files = { certificate: file("cert"), key: file("key"), authorities: trusts === null ? null : file("ca") };
    const write = (cert: string, key: string): void => {
      writeFileSync(files.certificate.path, cert);
      writeFileSync(files.key.path, key);
    };
    const { cert, key } = from.issue({ ...VALID, ...more.times, name: more.name ?? "node" });
    write(cert, key);
    // Its own authority is among those that it trusts: what it shows is judged, too.
    if (trusts !== null) writeFileSync(join(folder, "ca"), trusts.includes(from.pem) ? trusts : trusts + from.pem);
    const config = { files, isOptional: false, peerName: "", handshakeMs: 5_000, ...more };
    const tell = (event: string, fields: object = {}): void => void this.log.push(`${event} ${JSON.stringify(fields)}`);
    const nowMs = (): number => Date.now() + (more.clockMs ?? 0);
    return [new Tls(config, { ...systemClock, nowMs }, { info: tell, warn: tell, error: tell }), write];
  }

  listen(network: Network, accept: (socket: Socket) => SocketHandler): Promise<Listener> {
    return new Promise((resolve, reject) => {
      network.listen(LOOPBACK, accept, (listener, error) => {
        if (listener === null) return reject(new Error(error));
        this.#ends.push(() => listener.close());
        return resolve(listener);
      });
    });
  }

  /** One connection: what the dialling end and the accepted one know. */
  async pair(dialler: Network, listener: Network): Promise<{ near: End; far: End }> {
    const [near, far] = [new End(), new End()];
    const { address } = await this.listen(listener, (socket) => {
      far.socket = socket;
      return far;
    });
    near.socket = dialler.connect(address, near);
    this.#ends.push(() => near.socket?.close("over"), () => far.socket?.close("over"));
    await until(() => near.closes.length > 0 || (near.isOpen && far.isOpen));
    return { near, far };
  }

  peers(network: Network, digit: string, secret: string | null): Peers {
    const log = { info: () => {}, warn: (event: string, fields: object = {}) => void this.log.push(`${event} ${JSON.stringify(fields)}`), error: () => {} };
    const ports = { clock: systemClock, random: systemRandom, network, log };
    const identity = { clusterId: () => "c0ffee", nodeId: digit.repeat(16), name: digit, secret: secret === null ? null : new TextEncoder().encode(secret) };
    const peers = new Peers(ports, identity);
    peers.onMessage("echo", (body, _from, reply) => reply(body));
    this.#ends.push(() => peers.close());
    return peers;
  }

  onEnd(callback: () => void): void {
    this.#ends.push(callback);
  }

  close(): void {
    for (const end of this.#ends.splice(0).reverse()) end();
  }
}

async function until(reached: () => boolean): Promise<void> {
  const giveUp = Date.now() + 20_000;
  while (!reached()) {
    if (Date.now() > giveUp) throw new Error(`waited 20 s for ${reached}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function call(peers: Peers, id: string, address: string): Promise<string> {
  return new Promise((resolve) => {
    peers.peer(id, address).call("echo", "an answer", 10_000, (reply, error) => resolve(error === "" ? String(reply) : error));
  });
}

function listening(peers: Peers): Promise<string> {
  return new Promise((resolve, reject) => {
    peers.listen(LOOPBACK, (address, error) => (error === "" ? resolve(address) : reject(new Error(error))));
  });
}

function inBench(name: string, run: (check: Check, bench: Bench) => Promise<void>): Case {
  return {
    name,
    async run(check) {
      const bench = new Bench();
      try {
        await run(check, bench);
      } finally {
        bench.close();
      }
    },
  };
}

export const suite: Case[] = [
  inBench("nodes of one authority know each other, and the same of the channel", async (check, bench) => {
    const { near, far } = await bench.pair(bench.network(ours, ours.pem), bench.network(ours, ours.pem));
    check.equal(near.socket?.channel?.refusal, "", "the listener is a node");
    check.equal(far.socket?.channel?.refusal, "", "the dialler is a node");
    check.equal(near.socket?.channel?.binding.length, 32, "bound");
    check.same(near.socket?.channel?.binding, far.socket?.channel?.binding, "to the same certificate");
  }),
  inBench("four mebibytes come whole, their buffers are given back, and the end is told once", async (check, bench) => {
    const network = bench.network(ours, ours.pem);
    const { near, far } = await bench.pair(network, network);
    let released = 0;
    let sum = 0;
    for (let chunk = 0; chunk < 64; chunk++) {
      const bytes = new Uint8Array(65_536).map((_, index) => (index * 7 + chunk) & 0xff);
      for (const byte of bytes) sum = (Math.imul(sum, 31) + byte) | 0;
      near.socket?.write(bytes, bytes.length, () => released++);
    }
    await until(() => far.bytes === 64 * 65_536 && near.drains > 0);
    check.equal(far.sum, sum, "every byte in its place");
    check.equal(released, 64, "all given back");
    check.equal(near.socket?.pendingBytes(), 0, "nothing waits");
    far.socket?.write(Uint8Array.of(1), 1, () => {});
    await until(() => near.bytes === 1);
    near.socket?.close("enough");
    await until(() => near.closes.length + far.closes.length === 2);
    check.same(near.closes, ["enough"], "by this end");
    check.equal(far.closes.length, 1, "and at the other");
  }),
  inBench("a node of another authority is refused by who dials, in one sentence", async (check, bench) => {
    const { near, far } = await bench.pair(bench.network(ours, ours.pem), bench.network(theirs, theirs.pem));
    check.equal(near.isOpen || far.isOpen, false, "neither opened");
    check.ok(/^The node's certificate is refused: it is of another authority/.test(near.closes[0] ?? ""), near.closes[0] ?? "");
    check.ok(bench.log.some((line) => /TLS handshake failed.*of another authority/.test(line)), bench.log.join());
  }),
  inBench("who shows no certificate, or one of another authority, is no node to the listener", async (check, bench) => {
    const without = await bench.pair(bench.network(ours, null), bench.network(ours, ours.pem));
    check.equal(without.far.socket?.channel?.refusal, "A node has to show a certificate, and it showed none", "none");
    const foreign = await bench.pair(bench.network(theirs, ours.pem), bench.network(ours, ours.pem));
    const said = foreign.far.socket?.channel?.refusal ?? "";
    check.ok(/^The node's certificate is refused: it is of another authority/.test(said), said);
  }),
  inBench("where all nodes share a name, a certificate without it is refused at both ends", async (check, bench) => {
    const nodes = bench.network(ours, ours.pem, { name: "nodes.example", peerName: "nodes.example" });
    const web = bench.network(ours, ours.pem, { name: "web.example" });
    const good = await bench.pair(nodes, nodes);
    check.same([good.near.socket?.channel?.refusal, good.far.socket?.channel?.refusal], ["", ""], "a node");
    const dialled = await bench.pair(nodes, web);
    check.ok(/not made out to nodes.example/.test(dialled.near.closes[0] ?? ""), dialled.near.closes.join());
    const dialling = await bench.pair(web, nodes);
    check.ok(/not made out to nodes.example/.test(dialling.far.socket?.channel?.refusal ?? ""), "by the listener");
  }),
  inBench("a certificate for one side only is refused", async (check, bench) => {
    const [server, write] = bench.tls(ours, ours.pem);
    const { cert, key } = ours.issue({ name: "node", usages: ["serverAuth"] });
    write(cert, key);
    server.reload();
    const { far } = await bench.pair(new TlsNetwork(server), bench.network(ours, ours.pem));
    const said = far.socket?.channel?.refusal ?? "";
    check.ok(/The node's certificate is refused/.test(said), said);
  }),
  inBench("an expired certificate is refused at either end, whatever its own node thinks of the time", async (check, bench) => {
    const late = bench.network(ours, ours.pem, { times: { daysFrom: -9, daysTo: -2 }, clockMs: -5 * 86_400_000 });
    const node = bench.network(ours, ours.pem);
    const dialled = await bench.pair(node, late);
    // Deno has the same word for all that is wrong with a certificate.
    const refused = /certificate is refused: it (has expired|is of another authority than --tls-ca \(UNABLE_TO_VERIFY_LEAF)/;
    check.ok(refused.test(dialled.near.closes[0] ?? ""), dialled.near.closes.join());
    const dialling = await bench.pair(late, node);
    check.ok(refused.test(dialling.far.socket?.channel?.refusal ?? ""), "by the listener");
  }),
  inBench("who comes and goes without a word is no failure", async (check, bench) => {
    const [server] = bench.tls(ours, ours.pem);
    const far = new End();
    const listener = await bench.listen(new TlsNetwork(server), () => far);
    const { host, port } = parseAddress(listener.address) ?? { host: "", port: 0 };
    const raw = net.connect(port, host, () => raw.destroy());
    await until(() => far.closes.length > 0);
    check.equal(server.statistics()["tlsHandshakesFailed"], 0, "not counted");
    check.same(bench.log, [], "nor told");
  }),
  inBench("required: plain connections are closed, in both directions", async (check, bench) => {
    const network = bench.network(ours, ours.pem);
    const listener = await bench.listen(network, () => new End());
    const near = new End();
    const socket = tcpNetwork.connect(listener.address, near);
    await until(() => near.isOpen);
    socket.write(new Uint8Array(64), 64, () => {});
    await until(() => near.closes.length > 0);
    check.ok(bench.log.some((line) => /it speaks no TLS/.test(line)), bench.log.join());
    const plain = await bench.listen(tcpNetwork, (socket) => ({ ...closing(socket) }));
    const dialler = new End();
    network.connect(plain.address, dialler);
    await until(() => dialler.closes.length > 0);
    check.equal(dialler.isOpen, false, "it never opened");
    check.same(dialler.closes, ["the other side broke the handshake of TLS, or speaks none"], "why");
  }),
  inBench("optional: plain connections are taken, and dialled where there is no TLS", async (check, bench) => {
    const network = bench.network(ours, ours.pem, { isOptional: true });
    const far = new End();
    const listener = await bench.listen(network, (socket) => {
      far.socket = socket;
      return far;
    });
    const near = new End();
    const socket = tcpNetwork.connect(listener.address, near);
    await until(() => near.isOpen);
    socket.write(new Uint8Array(64), 64, () => {});
    await until(() => far.bytes === 64);
    check.equal(far.socket?.channel, null, "plain");
    const accepted = new End();
    let dials = 0;
    const plain = await bench.listen(tcpNetwork, (socket) => {
      dials++;
      if (dials === 1) return closing(socket);
      accepted.socket = socket;
      return accepted;
    });
    const dialler = new End();
    const dialled = network.connect(plain.address, dialler);
    await until(() => dialler.isOpen);
    dialled.write(new Uint8Array(64), 64, () => {});
    await until(() => accepted.bytes === 64);
    check.equal(dialled.channel, null, "plain");
    bench.onEnd(() => [socket, dialled].forEach((one) => one.close("over")));
    const both = await bench.pair(network, network);
    check.equal(both.far.socket?.channel?.refusal, "", "TLS among those who have it");
  }),
  inBench("optional: a certificate that is refused is no reason to go without", async (check, bench) => {
    const ends: End[] = [];
    const listener = await bench.listen(bench.network(theirs, null, { isOptional: true }), () => {
      ends.push(new End());
      return ends[ends.length - 1];
    });
    const near = new End();
    bench.network(ours, ours.pem, { isOptional: true }).connect(listener.address, near);
    await until(() => near.closes.length > 0);
    check.equal(near.isOpen, false, "not opened");
    check.equal(ends.some(({ isOpen }) => isOpen), false, "nor there, without TLS");
  }),
  inBench("who says nothing, or half of a handshake, is closed in time", async (check, bench) => {
    const far: End[] = [];
    const listener = await bench.listen(bench.network(ours, ours.pem, { handshakeMs: 100 }), () => {
      far.push(new End());
      return far[far.length - 1];
    });
    const { host, port } = parseAddress(listener.address) ?? { host: "", port: 0 };
    const closed: string[] = [];
    for (const first of [[], [0x16, 3, 1, 2, 0]]) {
      const raw = net.connect(port, host, () => void (first.length > 0 && raw.write(Uint8Array.from(first))));
      raw.on("error", () => {});
      raw.on("close", () => closed.push(first.join()));
      raw.resume();
    }
    await until(() => closed.length === 2);
    check.same(far.map(({ closes }) => closes), [["no handshake in time"], ["no handshake in time"]], "told once each");
  }),
  inBench("a client needs no certificate, a node does", async (check, bench) => {
    const listener = bench.peers(bench.network(ours, ours.pem), "b", null);
    const address = await listening(listener);
    for (const [role, connects] of [["client", true], ["joining", false]] as const) {
      const peers = bench.peers(bench.network(ours, null), "a", null);
      const link = peers.connectTo(address, role);
      let end: string | null = null;
      link.call("nothing", null, 10_000, (_reply, error) => (end = error));
      await until(() => end !== null);
      check.equal(link.connected, connects, `${role}: ${end}`);
    }
  }),
  inBench("whatever bytes come first, the door stays open for others", async (check, bench) => {
    const network = bench.network(ours, ours.pem, { handshakeMs: 1_000 });
    const far: End[] = [];
    const listener = await bench.listen(network, () => {
      far.push(new End());
      return far[far.length - 1];
    });
    const { host, port } = parseAddress(listener.address) ?? { host: "", port: 0 };
    const random = new SeededRandom(7);
    let closed = 0;
    for (let round = 0; round < 60; round++) {
      const bytes = new Uint8Array(1 + random.below(600));
      random.fill(bytes);
      if (round % 3 > 0) bytes.set([0x16, 3, 1].slice(0, bytes.length));
      // A record that is complete, with nonsense in it.
      if (round % 3 > 1 && bytes.length > 5) bytes.set([0, bytes.length - 5 & 0xff], 3);
      const raw = net.connect(port, host, () => raw.write(bytes));
      raw.on("error", () => {}).on("close", () => closed++).resume();
    }
    await until(() => closed === 60 && far.length === 60);
    check.ok(far.every(({ isOpen, closes }) => !isOpen && closes.length === 1), "none came in, each is told once");
    const { near } = await bench.pair(network, network);
    check.ok(near.isOpen, "a node comes in");
  }),
  inBench("new connections are shown the new certificate, those that stand go on; a broken one changes nothing", async (check, bench) => {
    const [server, write] = bench.tls(ours, ours.pem);
    const network = new TlsNetwork(server);
    const before = await bench.pair(network, network);
    const next = ours.issue({ name: "node" });
    write(next.cert, next.key);
    server.reload();
    check.ok(bench.log.some((line) => line.startsWith("certificates were replaced")), bench.log.join());
    const after = await bench.pair(network, network);
    check.ok(String(after.near.socket?.channel?.binding) !== String(before.near.socket?.channel?.binding), "another one");
    before.near.socket?.write(Uint8Array.of(1), 1, () => {});
    await until(() => before.far.bytes === 1);
    write(next.cert, ours.issue({ name: "node" }).key);
    server.reload();
    const said = bench.log.filter((line) => line.startsWith("certificates cannot be replaced"));
    check.ok(said.length === 1 && /is that of another certificate/.test(said[0]), bench.log.join());
    const third = await bench.pair(network, network);
    check.same(third.far.socket?.channel?.binding, after.far.socket?.channel?.binding, "those before stay");
    check.equal(server.statistics()["tlsReloads"], 1, "one");
    check.equal(server.statistics()["tlsReloadsFailed"], 1, "and one that failed");
  }),
  inBench("a secret binds nodes to the certificate: who ends the TLS between them is found out", async (check, bench) => {
    const n1 = bench.peers(bench.network(ours, null), "a", "correct horse battery staple");
    const n2 = bench.peers(bench.network(theirs, null), "b", "correct horse battery staple");
    const address = await listening(n2);
    check.equal(await call(n1, "b".repeat(16), address), "an answer", "each other's certificate need not be known");
    const between = theirs.issue({ name: "between" });
    const { host, port } = parseAddress(address) ?? { host: "", port: 0 };
    const proxy = tls.createServer({ cert: between.cert, key: between.key }, (stream) => {
      const onward = tls.connect({ host, port, rejectUnauthorized: false }, () => {
        stream.pipe(onward);
        onward.pipe(stream);
      });
      for (const [one, other] of [[stream, onward], [onward, stream]]) {
        one.on("error", () => {});
        one.on("close", () => other.destroy());
      }
    });
    bench.onEnd(() => proxy.close());
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const bound = proxy.address();
    const n3 = bench.peers(bench.network(ours, null), "c", "correct horse battery staple");
    const told = await call(n3, "b".repeat(16), `127.0.0.1:${typeof bound === "object" ? bound?.port : 0}`);
    check.ok(/another secret than this node, or somebody between the two ends the TLS/.test(told), told);
  }),
  inBench("a node without a certificate of the authority is refused as a node, with the secret or without", async (check, bench) => {
    const n1 = bench.peers(bench.network(theirs, ours.pem), "a", "correct horse battery staple");
    const n2 = bench.peers(bench.network(ours, ours.pem), "b", "correct horse battery staple");
    const told = await call(n1, "b".repeat(16), await listening(n2));
    check.ok(/The node's certificate is refused: it is of another authority/.test(told), told);
    check.ok(bench.log.some((line) => /handshake refused.*of another authority/.test(line)), "and it is logged");
  }),
];

/** What a node without TLS does with bytes that it cannot read: it closes. */
function closing(socket: Socket): SocketHandler {
  return { opened: () => {}, received: () => socket.close("malformed"), drained: () => {}, closed: () => {} };
}
