/**
 * In how many rounds does a change of the membership reach every node, and what does gossip cost?
 *
 *   bun bench/membership/gossip.ts [--nodes 200,1000] [--changes 5] [--seed 1]
 *
 *   nodes  rounds, each change   bytes a node a second: while it spreads   while nothing is new
 *
 * Simulated time: the product's own cluster state and gossip, a thousand times in one process, with
 * links that take a millisecond and lose nothing; a change is one that an administrator stages at
 * some node. A round is a second. Bytes are those of the messages' bodies, both ways, as CBOR; the
 * headers of frames (24 bytes a message) and the pings of failure detection are not in them. Nothing
 * here depends on the machine: the same seed gives the same figures.
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { foundCharter } from "../../server/membership/charter.ts";
import { ClusterState } from "../../server/membership/cluster-state.ts";
import { encodeDocument } from "../../server/membership/document.ts";
import { Gossip, ROUND_MS } from "../../server/membership/gossip.ts";
import { Identity } from "../../server/membership/identity.ts";
import { foundLayout, type Layout } from "../../server/membership/layout.ts";
import { layoutWith } from "../../server/membership/layout-change.ts";
import { firstVersion } from "../../server/membership/member.ts";
import { ClockSkew } from "../../server/membership/skew.ts";
import { NO_WISH } from "../../server/membership/staged.ts";
import type { Ports } from "../../server/ports/ports.ts";
import type { Peer, PeerIdentity, Peers } from "../../server/wire/peers.ts";
import { SeededRandom } from "../../test/random.ts";
import { SmallDisk } from "../../test/server/membership/small-disk.ts";
import { SimulatedClock, WallClock, World } from "../../test/simulation/clock.ts";

const DELAY_MS = 1;
const QUIET_MS = 10_000;
const LIMIT_MS = 60_000;
const PARTITIONS = 1_024;
const HEX_DIGITS = 16;

type Handler = Parameters<Peers["onMessage"]>[1];

class Node {
  readonly state: ClusterState;
  readonly gossip: Gossip;
  readonly handlers = new Map<string, Handler>();

  constructor(crowd: Crowd, id: string, random: SeededRandom) {
    const clock = new SimulatedClock(crowd.world, id, new WallClock(crowd.world));
    const silent = (): void => {};
    const log = { info: silent, warn: silent, error: silent };
    // Safe: neither the state nor gossip opens a socket; links are the crowd's.
    const ports = { clock, random, disk: new SmallDisk(), log } as unknown as Ports;
    const fixed = { fill: (bytes: Uint8Array) => bytes.fill(0), below: () => 0 };
    const identity = Identity.load(ports.disk, fixed, id);
    identity.admit(id, crowd.layout.clusterId, 2);
    this.state = new ClusterState(ports, identity, (to) => crowd.link(id, to), {
      drainRequests: (done) => done(),
      onLayoutsChanged: silent,
      onRetired: silent,
      onOwnNews: () => this.gossip.spreadNews(),
    });
    this.state.takeOver(crowd.document, id, silent);
    const onMessage = (type: string, handler: Handler): void => void this.handlers.set(type, handler);
    const peers = { onMessage } as unknown as Peers;
    const skew = new ClockSkew(clock);
    this.gossip = new Gossip(ports, peers, this.state, skew, [], silent, silent);
  }
}

/** All nodes, and the links between them. */
class Crowd {
  readonly world = new World();
  readonly layout: Layout;
  readonly document: Record<string, unknown>;
  readonly nodes = new Map<string, Node>();
  bytes = 0;

  constructor(count: number, seed: number) {
    const random = new SeededRandom(seed);
    const defaults = { r: "quorum", w: "quorum", dw: 1, pr: 0, pw: 0 } as const;
    const charter = foundCharter(random, PARTITIONS, 3, defaults);
    const ids = Array.from({ length: count }, () => idFrom(random)).sort();
    const admissions = ids.map((id, index) => ({ id, incarnation: id, attributes: attributesOf(index) }));
    const [founder, ...others] = admissions;
    const context = { issuer: founder.id, timeMs: 0, oldestLive: 1, attributesOf: () => null };
    this.layout = layoutWith(foundLayout(charter, founder, 0), others, context);
    const records = admissions.map(({ id, attributes }) => {
      const trackers = { adopted: 2, synced: 2, reading: 2, drained: 0, partial: 0, actor: "" };
      return { id, version: firstVersion(2) + 1, ...attributes, ...trackers };
    });
    const layouts = [this.layout.bytes];
    const shared = { charter: { ...charter, defaults }, reading: 2, layouts, records };
    this.document = { ...shared, events: this.layout.events, buckets: [], staged: [] };
    for (const id of ids) this.nodes.set(id, new Node(this, id, new SeededRandom(random.uint32())));
    for (const { gossip } of this.nodes.values()) gossip.start();
  }

  /** The link from one node to another: a call is answered after two delays. */
  link(from: string, to: string): Peer {
    const identity = { nodeId: from, role: "peer" } as PeerIdentity;
    const call: Peer["call"] = (type, body, _timeoutMs, done) => {
      this.#carry(body, () => {
        const reply = (answer: unknown): void => this.#carry(answer, () => done(answer, ""));
        const handler = this.nodes.get(to)?.handlers.get(type);
        handler?.(body, identity, reply, (sentence) => done(null, sentence));
      });
    };
    return { id: to, healthy: true, address: to, call } as unknown as Peer;
  }

  #carry(body: unknown, arrived: () => void): void {
    this.bytes += encodeDocument(body).length;
    this.world.after(DELAY_MS, arrived);
  }

  /** Bytes that a node sends and is sent in a second, on the average over some time. */
  rateFor(durationMs: number): number {
    const before = this.bytes;
    this.world.run(durationMs);
    return this.rate(this.bytes - before, durationMs);
  }

  rate(bytes: number, durationMs: number): number {
    return (2 * bytes * 1_000) / durationMs / this.nodes.size;
  }
}

function idFrom(random: SeededRandom): string {
  let id = "";
  while (id.length < HEX_DIGITS) id += random.below(16).toString(16);
  return id;
}

function attributesOf(index: number) {
  const name = `node-${index}`;
  return { name, address: `10.0.${index >> 8}.${index & 255}:7071`, http: "", zone: "", capacity: 1 };
}

function measure(count: number, changes: number, seed: number): void {
  const crowd = new Crowd(count, seed);
  const nodes = [...crowd.nodes.values()];
  crowd.world.run(QUIET_MS);
  const rounds: number[] = [];
  const busy: number[] = [];
  for (let change = 1; change <= changes; change++) {
    const origin = nodes[(change * 7_919) % count];
    const target = nodes[(change * 104_729) % count].state.self.id;
    const [began, bytes] = [crowd.world.elapsedMs, crowd.bytes];
    origin.state.staged.set([{ ...NO_WISH, node: target, kind: "change", capacity: 1 + change }]);
    const isKnown = ({ state }: Node): boolean => state.staged.of(target)?.capacity === 1 + change;
    crowd.world.runUntil(() => nodes.every(isKnown), LIMIT_MS);
    const tookMs = crowd.world.elapsedMs - began;
    rounds.push(tookMs / ROUND_MS);
    busy.push(crowd.rate(crowd.bytes - bytes, tookMs));
    crowd.world.run(QUIET_MS);
  }
  const quiet = crowd.rateFor(QUIET_MS);
  const mean = busy.reduce((sum, rate) => sum + rate, 0) / busy.length;
  const each = rounds.map((round) => round.toFixed(1)).join("  ");
  console.log(`${count} nodes: ${each} rounds; ${Math.round(mean)} bytes a node a second while a ` +
    `change spreads, ${Math.round(quiet)} while nothing is new`);
}

const { values } = parseArgs({
  options: {
    nodes: { type: "string", default: "200,1000" },
    changes: { type: "string", default: "5" },
    seed: { type: "string", default: "1" },
  },
});
for (const nodes of values.nodes.split(",").map(Number)) {
  if (!Number.isInteger(nodes) || nodes < 2) {
    console.log(`Nodes are "${values.nodes}", wanted are whole numbers from 2`);
    process.exit(2);
  }
  measure(nodes, Number(values.changes), Number(values.seed));
}
