/** Certificates while time goes by: new ones are found, broken ones are told once, and the end is announced. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Timer } from "../../../server/ports/clock.ts";
import { Tls } from "../../../server/ports/tls.ts";
import { Authority } from "../../certificates.ts";
import type { Case, Check } from "../../suite.ts";

const DAY_MS = 86_400_000;
const ours = new Authority("ours");

/** A clock that goes when it is told; one timer at a time. */
class HandClock {
  #nowMs = Date.now();
  #due: { atMs: number; callback: () => void } | null = null;
  nowMs(): number {
    return this.#nowMs;
  }
  elapsedMs(): number {
    return this.#nowMs;
  }
  after(delayMs: number, callback: () => void): Timer {
    const due = { atMs: this.#nowMs + delayMs, callback };
    this.#due = due;
    return { cancel: () => void (this.#due === due && (this.#due = null)) };
  }
  go(ms: number): void {
    const endMs = this.#nowMs + ms;
    while (this.#due !== null && this.#due.atMs <= endMs) {
      const { atMs, callback } = this.#due;
      this.#nowMs = atMs;
      this.#due = null;
      callback();
    }
    this.#nowMs = endMs;
  }
  get isAtRest(): boolean {
    return this.#due === null;
  }
}

interface World {
  readonly clock: HandClock;
  readonly tls: Tls;
  readonly log: string[];
  write(cert: string, key: string): void;
  remove(): void;
}

function inWorld(name: string, daysTo: number, run: (check: Check, world: World) => void): Case {
  return {
    name,
    run(check) {
      const folder = mkdtempSync(join(tmpdir(), "halo-tls-"));
      const [certPath, keyPath] = [join(folder, "node.pem"), join(folder, "node.key")];
      const write = (cert: string, key: string): void => {
        writeFileSync(certPath, cert);
        writeFileSync(keyPath, key);
      };
      const { cert, key } = ours.issue({ name: "n1", daysTo });
      write(cert, key);
      const clock = new HandClock();
      const log: string[] = [];
      const tell = (level: string) => (event: string, fields: object = {}): void => void log.push(`${level} ${event} ${JSON.stringify(fields)}`);
      const files = { certificate: { place: "--tls-cert", path: certPath }, key: { place: "--tls-key", path: keyPath }, authorities: null };
      const config = { files, isOptional: false, peerName: "", handshakeMs: 1_000 };
      const tls = new Tls(config, clock, { info: tell("info"), warn: tell("warn"), error: tell("error") });
      tls.start();
      try {
        run(check, { clock, tls, log, write, remove: () => rmSync(certPath) });
      } finally {
        tls.stop();
        rmSync(folder, { recursive: true });
      }
    },
  };
}

export const suite: Case[] = [
  inWorld("new files are found within ten seconds; what has not changed is no news", 60, (check, world) => {
    const before = world.tls.current;
    world.clock.go(60_000);
    check.equal(world.tls.current, before, "the same");
    check.same(world.log, [], "nothing to say");
    const { cert, key } = ours.issue({ name: "n1", daysTo: 90 });
    world.write(cert, key);
    world.clock.go(10_000);
    check.ok(world.tls.current !== before, "another one");
    check.ok(world.log.length === 1 && /^info certificates were replaced .*"daysLeft":(89|90)/.test(world.log[0]), world.log.join());
    check.equal(world.tls.statistics()["tlsReloads"], 1, "counted");
  }),
  inWorld("a broken file is told once and changes nothing; asked for, it is told again; the next good one is taken", 60, (check, world) => {
    const before = world.tls.current;
    world.write("no certificate", "no key");
    world.clock.go(120_000);
    check.equal(world.tls.current, before, "those before stay");
    check.equal(world.log.length, 1, world.log.join());
    check.ok(/^error certificates cannot be replaced, those before stay .*in which there is no certificate/.test(world.log[0]), world.log[0]);
    world.tls.reload();
    check.equal(world.log.length, 2, "again");
    world.remove();
    world.clock.go(120_000);
    check.ok(world.log.length === 3 && /which cannot be read/.test(world.log[2]), world.log.join());
    const { cert, key } = ours.issue({ name: "n1", daysTo: 90 });
    world.write(cert, key);
    world.clock.go(10_000);
    check.ok(world.tls.current !== before, "taken");
    check.equal(world.tls.statistics()["tlsReloadsFailed"], 3, "counted");
    world.tls.reload();
    check.ok(/^info certificates are as they were/.test(world.log[4]), world.log.join());
  }),
  inWorld("the end is announced from thirty days before on, once a day; then it is an error", 32, (check, world) => {
    check.same(world.log, [], "not yet");
    world.clock.go(DAY_MS * 2 + 60_000);
    check.ok(world.log.length === 1 && /^warn a certificate expires soon .*"daysLeft":29/.test(world.log[0]), world.log.join());
    world.clock.go(DAY_MS * 3);
    check.equal(world.log.length, 4, "three more days");
    world.clock.go(DAY_MS * 28);
    const last = world.log[world.log.length - 1];
    check.ok(/^error a certificate has expired: others refuse it .*"daysLeft":-/.test(last), last);
    check.ok((world.tls.statistics()["tlsDaysLeft"] ?? 0) < 0, "and shown");
  }),
  inWorld("failed handshakes are counted, and told every ten seconds at most", 60, (check, world) => {
    for (let count = 0; count < 1_000; count++) {
      world.tls.failed("127.0.0.1:1", "it speaks no TLS");
      world.clock.go(10);
    }
    check.equal(world.log.length, 1, "one line in ten seconds");
    check.equal(world.tls.statistics()["tlsHandshakesFailed"], 1_000, "all counted");
    world.tls.stop();
    check.ok(world.clock.isAtRest, "no timer is left");
  }),
];
