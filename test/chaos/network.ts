/**
 * A network of our own for real nodes, so that it can be cut: each host is a network namespace with one cable to a
 * bridge, beside which the clients are.
 *
 *   n1 ── 10.77.0.1 ─┐
 *   n2 ── 10.77.0.2 ─┼─ bridge ── 10.77.0.254, the clients, who always reach all
 *   n3 ── 10.77.0.3 ─┘
 *
 * Two hosts are cut by a route to nowhere on both sides: what is under way between them is lost, and neither is told.
 * All of it lives in the namespace of this process (main.ts) and goes with it, but for names of hosts.
 */

import { execFileSync } from "node:child_process";
import type { Place } from "../crash/kills/victim.ts";

const NET = "10.77.0";
const BRIDGE = "halo0";

export class ChaosNetwork {
  readonly #prefix: string;
  readonly #hosts: string[] = [];

  /** REQUIRES: this process is root in a network namespace of its own */
  constructor() {
    this.#prefix = `halo-${process.pid}`;
    ip("link", "add", BRIDGE, "type", "bridge");
    ip("addr", "add", `${NET}.254/24`, "dev", BRIDGE);
    ip("link", "set", BRIDGE, "up");
    ip("link", "set", "lo", "up");
  }

  /** A further host, cabled. */
  add(): Place {
    const number = this.#hosts.length + 1;
    const name = `${this.#prefix}-${number}`;
    const [near, far] = [`near${number}`, `far${number}`];
    ip("netns", "add", name);
    this.#hosts.push(name);
    ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", name);
    ip("link", "set", near, "master", BRIDGE, "up");
    inside(name, "addr", "add", `${NET}.${number}/24`, "dev", far);
    inside(name, "link", "set", far, "up");
    inside(name, "link", "set", "lo", "up");
    return {
      command: ["ip", "netns", "exec", name],
      http: `${NET}.${number}:7070`,
      tcp: `${NET}.${number}:7071`,
    };
  }

  /** Cuts the hosts with these numbers, from 0, off from all others. */
  cut(side: readonly number[]): void {
    this.#between(side, "add");
  }

  heal(side: readonly number[]): void {
    this.#between(side, "del");
  }

  remove(): void {
    for (const name of this.#hosts) ip("netns", "del", name);
    ip("link", "del", BRIDGE);
    this.#hosts.length = 0;
  }

  #between(side: readonly number[], what: "add" | "del"): void {
    const others = [...this.#hosts.keys()].filter((host) => !side.includes(host));
    for (const other of others) {
      for (const host of side) {
        inside(this.#hosts[host] ?? "", "route", what, "blackhole", `${NET}.${other + 1}`);
        inside(this.#hosts[other] ?? "", "route", what, "blackhole", `${NET}.${host + 1}`);
      }
    }
  }
}

function ip(...words: string[]): void {
  execFileSync("ip", words, { stdio: "pipe" });
}

function inside(host: string, ...words: string[]): void {
  ip("-n", host, ...words);
}
