/**
 * halo serve: one node in the foreground.
 *
 *   settings ─→ HTTP listens (answers 503) ─→ data folder opened, node started ─→ HTTP serves
 *            ─→ the first line on standard output tells where
 *   SIGTERM, SIGINT: no new requests, those under way end, the node syncs and closes; at most 10 s
 *   SIGHUP: the same, or with TLS: the files of its certificates are looked at
 *
 * HTTP listens first because the node tells the cluster under which address clients reach it, and
 * because a probe should get an answer while a large log is being recovered.
 */

import {
  type ConnectionShares,
  connectionShares,
  DESCRIPTORS_MIN,
} from "../admission/connection-shares.ts";
import { HttpDoor, type Listen } from "../admission/http-door.ts";
import { createApp } from "../http/app.ts";
import { problem } from "../http/problem.ts";
import { Node } from "../node.ts";
import { CertificateError } from "../ports/certificates.ts";
import { systemClock } from "../ports/clock.ts";
import { systemDescriptors } from "../ports/descriptors.ts";
import { type DataDirectory, openDataDirectory } from "../ports/disk.ts";
import { type HttpHandler, serveHttp } from "../ports/http-server.ts";
import { HTTPS_DESCRIPTORS, HttpsFront } from "../ports/https-server.ts";
import { LineLog } from "../ports/line-log.ts";
import type { Log } from "../ports/log.ts";
import { systemMemory } from "../ports/memory.ts";
import {
  environment,
  exit,
  machineName,
  onHangup,
  onInputEnd,
  onTermination,
  processId,
  writeError,
  writeOut,
} from "../ports/process.ts";
import { systemRandom } from "../ports/random.ts";
import { parseAddress, tcpNetwork } from "../ports/tcp-network.ts";
import { Tls, type TlsConfig } from "../ports/tls.ts";
import { TlsNetwork } from "../ports/tls-network.ts";
import type { Command } from "./command.ts";
import { type CommandLine, option, setting } from "./command-line.ts";
import { exampleConfig, readConfigFile } from "./config-file.ts";
import { CommandFailure, DONE, FAILED } from "./exit-code.ts";
import { advertisedHttp, readServeConfig, SERVE_SETTINGS, type ServeConfig } from "./settings.ts";
import { formatTable } from "./table.ts";
import { VERSION } from "./version.ts";

/** SIGTERM to the end, at most. */
const STOP_MS_MAX = 10_000;
/** Of these, how long requests under way may take. */
const DRAIN_MS_MAX = 6_000;

export const serveCommand: Command = {
  name: "serve",
  takes: "",
  summary: "run a node",
  examples: ["halo serve --data /var/lib/halo --join 10.0.0.1:7071"],
  about:
    `Without --join it founds a cluster of one on the loopback interface. Every setting can come
from the environment, too (HALO_DATA for --data), or from a file in TOML (data = "DIR"): a flag wins
over the environment, and that over the file. SIGTERM drains, syncs and stops within 10 s.
With TLS, SIGHUP has a node look at its certificates at once; it does so every 10 s by itself.`,
  options: [
    setting("config", "FILE", "settings in TOML; halo serve --example-config prints all of them"),
    ...SERVE_SETTINGS,
    option("print-config", "", "show every setting and where it came from, and end"),
    option("example-config", "", "print a configuration file with every setting explained, and end"),
    option("until-input-ends", "", "stop when standard input ends"),
    option("json", "", "the first line, or --print-config, in JSON; failures as well"),
  ],
  positionalsMin: 0,
  positionalsMax: 0,
  run: serve,
};

async function serve(given: CommandLine): Promise<number> {
  if (given.flag("example-config")) {
    writeOut(exampleConfig(SERVE_SETTINGS));
    return DONE;
  }
  const path = given.text("config");
  const line = path === "" ? given : given.over(readConfigFile(path, SERVE_SETTINGS));
  const config = readServeConfig(line, environment["JOURNAL_STREAM"] !== undefined);
  if (line.flag("print-config")) return printConfig(line);
  const log = new LineLog(systemClock, writeError, config.logForm);
  const tls = config.tls === null ? null : openTls(config.tls, log);
  const running = new RunningNode(config, log, tls);
  writeOut(firstLine(await running.start(), line.flag("json")));
  if (line.flag("until-input-ends")) onInputEnd(() => running.stop("the end of its input"));
  onTermination((signal) => running.stop(signal));
  onHangup(() => tls === null ? running.stop("SIGHUP") : tls.reload());
  return running.ended;
}

function printConfig(line: CommandLine): number {
  const entries = SERVE_SETTINGS.map(({ name }) => ({ name, ...line.setting(name) }));
  if (line.flag("json")) writeOut(`${JSON.stringify(entries)}\n`);
  else writeOut(formatTable(entries.map(({ name, value, origin }) => [name, value, origin])));
  return DONE;
}

/** Where a node listens, for the first line that it prints. */
interface Listening {
  readonly name: string;
  readonly http: string;
  readonly tcp: string;
  readonly data: string;
  /** Whether TLS is spoken at both. */
  readonly tls: "required" | "optional" | "off";
}

function firstLine(at: Listening, isJson: boolean): string {
  if (isJson) return `${JSON.stringify({ ...at, pid: processId, version: VERSION })}\n`;
  const scheme = at.tls === "required" ? "https" : "http";
  const places = `${scheme}://${at.http}, peers on ${at.tcp}, data in ${at.data}`;
  return `halo ${VERSION}: ${at.name} listens on ${places}\n`;
}

class RunningNode {
  readonly #config: ServeConfig;
  readonly #log: Log;
  readonly #tls: Tls | null;
  /** What HTTP comes through where there is TLS. */
  readonly #front: HttpsFront | null;
  readonly ended: Promise<number>;
  #end: (code: number) => void = () => undefined;
  #handler: HttpHandler = answerStarting;
  #http: HttpDoor | null = null;
  #name = "";
  #data: DataDirectory | null = null;
  #node: Node | null = null;
  /** Those that were open when HTTP began to listen. */
  #ownDescriptors = 0;
  #isStopping = false;

  constructor(config: ServeConfig, log: Log, tls: Tls | null) {
    this.#config = config;
    this.#log = log;
    this.#tls = tls;
    this.#front = tls === null ? null : new HttpsFront(tls, (request) => this.#handler(request));
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** @throws CommandFailure when the node cannot run */
  async start(): Promise<Listening> {
    const { max } = systemDescriptors;
    if (max < DESCRIPTORS_MIN) throw new CommandFailure(FAILED, tooFewDescriptors(max));
    const perClient = this.#front === null ? 1 : HTTPS_DESCRIPTORS;
    const shares = connectionShares(max, this.#config.connections, perClient);
    const http = await this.#listen(shares.http);
    this.#http = http;
    const node = await this.#startNode(http.address, shares.peers);
    this.#node = node;
    this.#handler = createApp(node, {
      clock: systemClock,
      random: systemRandom,
      valueBytesMax: this.#config.node.maxValueBytes,
      bodyBytesMax: this.#config.bodyBytesMax,
      ownHost: this.#config.ownHost,
      statistics: () => this.#statistics(http, shares),
      log: this.#log,
    });
    const data = this.#config.dataFolder;
    const tls = this.#tls === null ? "off" : this.#tls.config.isOptional ? "optional" : "required";
    this.#tls?.start();
    return { name: this.#name, http: http.address, tcp: node.tcpAddress, data, tls };
  }

  #listen(connectionsMax: number): Promise<HttpDoor> {
    const handler: HttpHandler = (request) => this.#handler(request);
    const front = this.#front;
    const listen: Listen = (address, done) => {
      if (front === null) serveHttp(address, handler, done);
      else front.listen(address, done);
    };
    const ports = { clock: systemClock, log: this.#log, listen };
    const door = new HttpDoor(ports, connectionsMax, () => this.#httpConnections());
    return new Promise((resolve, reject) => {
      door.open(this.#config.node.http, (error) => {
        if (error !== "") return reject(new CommandFailure(FAILED, error));
        this.#ownDescriptors = systemDescriptors.open();
        return resolve(door);
      });
    });
  }

  /** What is neither the runtime's, nor a data file, nor a connection of the node. */
  #httpConnections(): number {
    if (this.#front !== null) return this.#front.connectionCount;
    const files = this.#data?.descriptors() ?? 0;
    const others = this.#ownDescriptors + files + (this.#node?.connectionCount ?? 0);
    return Math.max(0, systemDescriptors.open() - others);
  }

  #statistics(http: HttpDoor, shares: ConnectionShares): Record<string, number> {
    const { max } = systemDescriptors;
    return {
      descriptorsOpen: systemDescriptors.open(),
      descriptorsMax: max === Infinity ? 0 : max,
      httpConnections: this.#httpConnections(),
      httpConnectionsMax: http.max,
      httpShut: http.shutCount,
      httpRefuses: http.isShut ? 1 : 0,
      peerConnections: this.#node?.connectionCount ?? 0,
      peerConnectionsMax: shares.peers,
      ...this.#tls?.statistics(),
    };
  }

  #startNode(http: string, peerConnectionsMax: number): Promise<Node> {
    const data = openData(this.#config.dataFolder);
    this.#data = data;
    const { disk, bootId } = data;
    const network = this.#tls === null ? tcpNetwork : new TlsNetwork(this.#tls);
    const outside = { clock: systemClock, random: systemRandom, network };
    const ports = { ...outside, disk, log: this.#log, memory: systemMemory, bootId };
    const name = this.#config.node.name || defaultName(this.#config.node.tcp, http);
    const scheme = this.#tls?.config.isOptional === false ? "https" : "http";
    const reached = `${scheme}://${advertisedHttp(this.#config, http)}`;
    const node = new Node(ports, { ...this.#config.node, name, http: reached, peerConnectionsMax });
    this.#name = name;
    return new Promise((resolve, reject) => {
      node.start((error) => {
        if (error === "") resolve(node);
        else reject(new CommandFailure(FAILED, error));
      });
    });
  }

  /** Drains and stops; a second request to stop ends at once. */
  stop(cause: string): void {
    if (this.#isStopping) {
      exit(FAILED);
      return;
    }
    this.#isStopping = true;
    this.#tls?.stop();
    this.#log.info("stopping", { cause });
    systemClock.after(STOP_MS_MAX, () => {
      this.#log.error("stopping took too long, what is left is cut");
      this.#end(FAILED);
    });
    this.#http?.stop(DRAIN_MS_MAX, () => {
      this.#node?.stop(() => {
        this.#data?.release();
        this.#log.info("stopped");
        this.#end(DONE);
      });
    });
  }
}

/** The name of a node that was given none: the machine's, and a port that tells its nodes apart. */
function defaultName(tcp: string, http: string): string {
  const port = parseAddress(tcp)?.port || parseAddress(http)?.port;
  return `${machineName}-${port ?? 0}`;
}

function tooFewDescriptors(max: number): string {
  return `Cannot serve with ${max} file descriptors, want ${DESCRIPTORS_MIN} or more (ulimit -n)`;
}

/** The files were judged with the settings; they may have changed since. */
function openTls(config: TlsConfig, log: Log): Tls {
  try {
    return new Tls(config, systemClock, log);
  } catch (error) {
    if (error instanceof CertificateError) throw new CommandFailure(FAILED, error.message);
    throw error;
  }
}

function openData(folder: string): DataDirectory {
  try {
    return openDataDirectory(folder);
  } catch (error) {
    throw new CommandFailure(FAILED, error instanceof Error ? error.message : String(error));
  }
}

/** What a probe gets while the log is being recovered. */
function answerStarting(request: Request): Response {
  if (request.url.endsWith("/healthz")) return new Response("ok\n");
  return problem("not-ready", "The node is starting, want another try in a moment.", "refused");
}
