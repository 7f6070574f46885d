/**
 * A node that is killed again and again: the compiled program as a process of its own, on ports that
 * the kernel chooses anew at each start, over one data directory.
 *
 * Its files are small and are compacted early, so that a life of a second sees segments rolled, emptied
 * and deleted, and snapshots of the index written. It ends with its standard input, so that it does not
 * outlive this process, however that ends.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { HttpLine } from "./http-line.ts";

const HALO = fileURLToPath(new URL("../../../dist/halo", import.meta.url));
const START_MS_MAX = 30_000;
const POLL_MS = 5;

const SMALL_FILES = [
  "--segment-bytes", `${1 << 20}`,
  "--compaction-cold-ms", "20",
  "--snapshot-bytes", `${3 << 20}`,
  "--partitions", "64",
];

/** Where a node runs: words before its command, and the addresses where it listens. */
export interface Place {
  readonly command: readonly string[];
  readonly http: string;
  readonly tcp: string;
}

const LOOPBACK: Place = { command: [], http: "127.0.0.1:0", tcp: "127.0.0.1:0" };

/** What a node prints first. */
interface Listening {
  readonly http: string;
  readonly tcp: string;
}

export class Victim {
  readonly name: string;
  readonly #folder: string;
  readonly #more: readonly string[];
  readonly #place: Place;
  #child: ChildProcess | null = null;
  #told = "";
  /** host:port; "" while it is down. */
  http = "";
  tcp = "";

  /** @param more further flags @param place where it runs; default: on this machine's loopback interface */
  constructor(name: string, folder: string, more: readonly string[] = [], place: Place = LOOPBACK) {
    this.name = name;
    this.#folder = folder;
    this.#more = more;
    this.#place = place;
  }

  /** Its process id, while it is up. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get isUp(): boolean {
    return this.http !== "";
  }

  /** What it wrote on standard error in this life. */
  get told(): string {
    return this.#told;
  }

  /** Starts it and waits until it listens. @param join TCP addresses of other nodes */
  async start(join: readonly string[] = []): Promise<void> {
    const { command, http: httpPlace, tcp: tcpPlace } = this.#place;
    const places = ["--http", httpPlace, "--tcp", tcpPlace, "--data", this.#folder];
    const given = ["serve", "--json", "--until-input-ends", "--name", this.name, ...places];
    if (join.length > 0) given.push("--join", join.join(","));
    const [program = HALO, ...words] = [...command, HALO, ...given, ...SMALL_FILES, ...this.#more];
    const child = spawn(program, words);
    this.#child = child;
    this.#told = "";
    child.stderr.on("data", (piece: Buffer) => {
      this.#told = (this.#told + piece.toString()).slice(-4_000);
    });
    const { http, tcp } = await this.#firstLine(child);
    this.tcp = tcp;
    this.http = http;
  }

  /** Waits until it takes writes, for which others may have to be up. */
  async ready(): Promise<void> {
    const line = new HttpLine(this.http);
    const deadline = performance.now() + START_MS_MAX;
    for (;;) {
      const { status, body } = await line.ask({ method: "GET", path: "/readyz?for=write" });
      if (status === 200) break;
      if (performance.now() > deadline) {
        throw new Error(`${this.name} is not ready: ${body.toString()} ${this.#told}`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    line.close();
  }

  /** SIGKILL, and waits until the process is gone. */
  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  /** SIGTERM, and waits until the process is gone. */
  stop(): Promise<void> {
    return this.#end("SIGTERM");
  }

  #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = null;
    this.http = "";
    if (child === null || child.exitCode !== null) return Promise.resolve();
    return new Promise((resolve) => {
      child.on("close", () => resolve());
      child.kill(signal);
    });
  }

  #firstLine(child: ChildProcess): Promise<Listening> {
    return new Promise((resolve, reject) => {
      let text = "";
      child.stdout?.on("data", (piece: Buffer) => {
        text += piece.toString();
        if (text.includes("\n")) resolve(JSON.parse(text.slice(0, text.indexOf("\n"))));
      });
      child.on("error", reject);
      child.on("close", (code) => {
        reject(new Error(`${this.name} ended with ${code} before it listened: ${this.#told}`));
      });
    });
  }
}
