/**
 * halo dev: a cluster of three on this machine, in one command, for trying things out.
 *
 *   this process ── starts ──→ node-1 (founds the cluster), node-2, node-3 (join it)
 *                   each a `halo serve` of its own: real processes, real sockets, real files
 *
 * The children's standard input is a pipe from here: when this process is gone, by whatever
 * cause, they read its end and stop. A child that dies is told with the command that starts it
 * again, and left dead: that is what the tour is about.
 */

import type { ClusterReport } from "../http/http-node.ts";
import { systemClock } from "../ports/clock.ts";
import {
  type Child,
  environment,
  onStopSignal,
  programCommand,
  startProgram,
  writeError,
  writeOut,
  writeWholeFile,
} from "../ports/process.ts";
import type { Command } from "./command.ts";
import { type CommandLine, setting, UsageError } from "./command-line.ts";
import { CommandFailure, DONE, FAILED } from "./exit-code.ts";
import { formatTable } from "./table.ts";

const NODES = 3;
const encoder = new TextEncoder();
const START_MS_MAX = 20_000;
/** From the start; the nodes answer before, while partitions still move to the two that joined. */
const SETTLE_MS_MAX = 1_800;
const POLL_MS = 20;
/** A little more than a node takes at most to stop. */
const STOP_MS_MAX = 11_000;

export const devCommand: Command = {
  name: "dev",
  takes: "",
  summary: "run a cluster of three on this machine, to try things out",
  examples: ["halo dev"],
  about: `Three nodes on the loopback interface, each with its data in a folder of its own below
--data, its log and its process id beside it. ^C stops them; the data stays for the next time.`,
  options: [
    setting("data", "DIR", "where the three keep their data", "./halo-dev"),
    setting(
      "http-port",
      "PORT",
      "HTTP port of the first node, the others follow; 0: free ones",
      "7070",
    ),
    setting(
      "tcp-port",
      "PORT",
      "TCP port of the first node, the others follow; 0: free ones",
      "7171",
    ),
  ],
  positionalsMin: 0,
  positionalsMax: 0,
  run: dev,
};

async function dev(line: CommandLine): Promise<number> {
  const cluster = new DevCluster(
    line.text("data"),
    readPort(line, "http-port"),
    readPort(line, "tcp-port"),
  );
  onStopSignal(() => cluster.stop());
  try {
    await cluster.start();
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return cluster.ended;
}

function readPort(line: CommandLine, name: string): number {
  const value = line.text(name);
  const port = /^\d{1,5}$/.test(value) ? Number(value) : -1;
  if (port >= 0 && port <= 65_536 - NODES) return port;
  throw new UsageError(`${line.place(name)} is '${value}', want a port from 0 to ${65_536 - NODES}`);
}

/** The first line of a node, as `halo serve --json` prints it. */
interface Listening {
  readonly name: string;
  readonly http: string;
  readonly tcp: string;
  readonly pid: number;
}

class DevCluster {
  readonly #data: string;
  readonly #httpPort: number;
  readonly #tcpPort: number;
  readonly #children = new Map<string, Child>();
  readonly ended: Promise<number>;
  #end: (code: number) => void = () => undefined;
  #isStarted = false;
  #isStopping = false;

  constructor(data: string, httpPort: number, tcpPort: number) {
    this.#data = data;
    this.#httpPort = httpPort;
    this.#tcpPort = tcpPort;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** @throws CommandFailure when a node does not come up */
  async start(): Promise<void> {
    const beginMs = systemClock.elapsedMs();
    const first = await this.#startNode(0, "");
    const others = [1, 2].map((index) => this.#startNode(index, first.tcp));
    const nodes = [first, ...(await Promise.all(others))];
    await this.#untilReady(nodes);
    await this.#untilSettled(nodes, beginMs + SETTLE_MS_MAX);
    this.#isStarted = true;
    writeOut(describe(nodes, this.#data, systemClock.elapsedMs() - beginMs));
  }

  #startNode(index: number, join: string): Promise<Listening> {
    const name = `node-${index + 1}`;
    const given = this.#serveArguments(name, index, join);
    const logPath = `${this.#data}/${name}.log`;
    return new Promise((resolve, reject) => {
      const child = startProgram([...given, "--json", "--until-input-ends"], logPath, {
        line: (text) => resolve(JSON.parse(text) as Listening),
        ended: (how) => {
          this.#children.delete(name);
          const message = `${name} ended ${how} before it was up, want a look at ${logPath}`;
          reject(new CommandFailure(FAILED, message));
          this.#childEnded(name, how, given);
        },
      });
      this.#children.set(name, child);
      writeWholeFile(`${this.#data}/${name}.pid`, encoder.encode(`${child.pid}\n`));
    });
  }

  #serveArguments(name: string, index: number, join: string): string[] {
    const http = `127.0.0.1:${this.#httpPort === 0 ? 0 : this.#httpPort + index}`;
    const tcp = `127.0.0.1:${this.#tcpPort === 0 ? 0 : this.#tcpPort + index}`;
    const places = [
      "--name",
      name,
      "--data",
      `${this.#data}/${name}`,
      "--http",
      http,
      "--tcp",
      tcp,
    ];
    // The three are plain, whatever the environment says of other nodes.
    const plain = environment["HALO_TLS_CERT"] === undefined ? [] : ["--tls", "off"];
    return ["serve", ...plain, ...places, ...(join === "" ? [] : ["--join", join])];
  }

  #childEnded(name: string, how: string, given: readonly string[]): void {
    if (this.#isStopping) {
      if (this.#children.size === 0) this.#end(DONE);
      return;
    }
    if (!this.#isStarted) return;
    const again = [...programCommand(), ...given].map(quoted).join(" ");
    writeError(`${name} ended ${how}; start it again with\n  ${again}\n`);
    if (this.#children.size > 0) return;
    writeError("No node is left.\n");
    this.#end(FAILED);
  }

  async #untilReady(nodes: readonly Listening[]): Promise<void> {
    const deadlineMs = systemClock.elapsedMs() + START_MS_MAX;
    for (const { name, http } of nodes) {
      while (!(await isReady(http))) {
        if (systemClock.elapsedMs() > deadlineMs) {
          const message = `${name} is not ready after ${START_MS_MAX} ms`;
          throw new CommandFailure(FAILED, `${message}, want a look at ${this.#data}/${name}.log`);
        }
        await aMoment();
      }
    }
  }

  /** Until all own their share under one layout, so that a first look shows it; or until then. */
  async #untilSettled(nodes: readonly Listening[], deadlineMs: number): Promise<void> {
    for (const { http } of nodes) {
      while (systemClock.elapsedMs() < deadlineMs && !(await isSettled(http))) await aMoment();
    }
  }

  /** Stops all nodes; ends when they are gone. */
  stop(): Promise<number> {
    if (this.#isStopping) return this.ended;
    this.#isStopping = true;
    if (this.#children.size === 0) this.#end(this.#isStarted ? DONE : FAILED);
    for (const child of this.#children.values()) child.signal("SIGTERM");
    systemClock.after(STOP_MS_MAX, () => {
      for (const child of this.#children.values()) child.signal("SIGKILL");
    });
    return this.ended;
  }
}

async function isReady(http: string): Promise<boolean> {
  try {
    const response = await fetch(`http://${http}/readyz?for=write`);
    await response.body?.cancel();
    return response.status === 200;
  } catch {
    // Nothing answers there yet: not ready, and asked again.
    return false;
  }
}

async function isSettled(http: string): Promise<boolean> {
  const response = await fetch(`http://${http}/cluster`);
  // Safe: it is one of ours, and of this version.
  const { layout, members } = (await response.json()) as ClusterReport;
  const owners = members.filter(({ partitions }) => partitions > 0);
  return layout.live.length === 1 && owners.length === NODES;
}

function aMoment(): Promise<void> {
  return new Promise((resolve) => systemClock.after(POLL_MS, resolve));
}

/** A word as a shell reads it back. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function describe(nodes: readonly Listening[], data: string, tookMs: number): string {
  const rows = nodes.map(({ name, http, tcp, pid }) => [
    `  ${name}`,
    `http://${http}`,
    `peers on ${tcp}`,
    `pid ${pid}`,
  ]);
  const [first] = nodes;
  const url = `http://${first?.http}`;
  const node = first?.http === "127.0.0.1:7070" ? "" : ` --node ${url}`;
  const halo = programCommand().map(quoted).join(" ");
  return `Three nodes are up after ${Math.round(tookMs)} ms, with data and logs in ${data}:

${formatTable(rows)}
Store and read something:

  curl -X PUT --data-binary 'two books' ${url}/kv/cart/user-17
  curl -i ${url}/kv/cart/user-17
  ${halo} put cart/user-18 'three books'${node}
  ${halo} get cart/user-18${node}

See where it lives, and who is there:

  ${halo} explain cart/user-17${node}
  ${halo} cluster status${node}

^C stops all three.
`;
}
