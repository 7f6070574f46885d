/**
 * The settings of a node: what `halo serve` can be told by flags, by the environment and in a file,
 * with their defaults, and their way from text to the node's configuration. A value that means nothing
 * ends the command with a sentence before anything is opened.
 *
 *   default < file < HALO_… < flag    halo serve --print-config shows each value and its origin
 */

import {
  BODY_BYTES_IN_FLIGHT_MAX,
  CLOCK_ENTRIES_MAX_DEFAULT,
  PARTITIONS_DEFAULT,
  PARTITIONS_MAX,
  REPLICAS_DEFAULT,
  REPLICAS_MAX,
  SKEW_MS_MAX_DEFAULT,
  SYNC_INTERVAL_MS_DEFAULT,
  VALUE_BYTES_MAX_DEFAULT,
  VALUE_BYTES_MAX_LIMIT,
} from "../../core/limits.ts";
import { CAPACITY_MAX } from "../../core/placement/terms.ts";
import { SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN } from "../../storage/log/log-engine.ts";
import type { ConnectionShares } from "../admission/connection-shares.ts";
import type { Quorum } from "../coordination/store.ts";
import { parseQuorum } from "../http/parameters.ts";
import { type NodeConfig, nodeConfigDefaults } from "../node-config.ts";
import { formatAddress, isEverywhere, parseAddress } from "../ports/tcp-network.ts";
import { systemMemory } from "../ports/memory.ts";
import type { TlsConfig } from "../ports/tls.ts";
import { type CommandLine, type Option, setting, UsageError } from "./command-line.ts";
import { readClusterSecret } from "./secret-file.ts";
import { readTlsConfig } from "./tls-settings.ts";

/** Of the machine's memory, or of what a control group leaves of it. */
const MEMORY_SHARE = 0.75;
const CONNECTIONS_DEFAULT = 10_000;
const CONNECTIONS_MAX = 1_000_000;
/** Less is taken by the runtime alone. */
const MEMORY_BYTES_MIN = 128 << 20;
/** Of the memory's bound, an eighth is for bodies on their way in. */
const BODY_PART_OF_MEMORY = 8;

/** Of the cluster, laid down by the node that founds it. */
const FOUNDING: readonly Option[] = [
  setting(
    "partitions",
    "Q",
    "when founding: parts of the ring, a power of two",
    text(PARTITIONS_DEFAULT),
  ),
  setting("replicas", "N", "when founding: copies of each object", text(REPLICAS_DEFAULT)),
  setting("r", "R", "when founding: replicas that answer a read", "quorum"),
  setting("w", "W", "when founding: replicas that take a write", "quorum"),
  setting("dw", "DW", "when founding: of these, how many have it durable", "1"),
  setting("pr", "PR", "when founding: primaries that answer a read", "0"),
  setting("pw", "PW", "when founding: primaries that take a write", "0"),
];

export const SERVE_SETTINGS: readonly Option[] = [
  setting("data", "DIR", "where the node keeps its data", "./halo-data"),
  setting("name", "NAME", "unique in the cluster (default: host name and a port)"),
  setting("http", "HOST:PORT", "where clients are served; port 0: a free one", "127.0.0.1:7070"),
  setting("tcp", "HOST:PORT", "where nodes are served; port 0: a free one", "127.0.0.1:7071"),
  setting("advertise", "HOST:PORT", "where other nodes reach this one (default: --tcp as bound)"),
  setting("advertise-http", "HOST:PORT", "where clients reach it (default: --http as bound, or the host of --advertise)"),
  setting("join", "HOST:PORT,…", "TCP addresses of members; none: found a cluster"),
  setting("join-staged", "", "wait for an administrator to let this node in"),
  setting("zone", "Z", "what fails together: copies go to different zones"),
  setting("capacity", "C", "share of the data, in any unit that all nodes share", "1"),
  setting("engine", "ENGINE", "log (on disk) or memory", "log"),
  ...FOUNDING,
  setting("max-value-bytes", "BYTES", "the largest value", text(VALUE_BYTES_MAX_DEFAULT)),
  setting("max-clock-entries", "COUNT", "pairs left in a clock", text(CLOCK_ENTRIES_MAX_DEFAULT)),
  setting("max-skew-ms", "MS", "off the peers' median, lww writes stop", text(SKEW_MS_MAX_DEFAULT)),
  setting(
    "sync-interval-ms",
    "MS",
    "with dw=0, replicas sync so often",
    text(SYNC_INTERVAL_MS_DEFAULT),
  ),
  setting(
    "hints-bytes-max",
    "BYTES",
    "room for writes that absent nodes missed",
    text(nodeConfigDefaults.hintsBytesMax),
  ),
  setting(
    "free-bytes-min",
    "BYTES",
    "below this much free disk, writes stop",
    text(nodeConfigDefaults.freeBytesMin),
  ),
  setting(
    "max-memory-bytes",
    "BYTES",
    "beyond 7/8 of it, new objects are refused; default 3/4 of the memory; 0: no bound",
    text(Math.floor(systemMemory.totalBytes * MEMORY_SHARE)),
  ),
  setting(
    "max-requests",
    "COUNT",
    "that wait for their answer at one time; further ones are refused at once",
    text(nodeConfigDefaults.requestsMax),
  ),
  setting(
    "max-http-connections",
    "COUNT",
    "of clients at one time, as far as file descriptors reach",
    text(CONNECTIONS_DEFAULT),
  ),
  setting(
    "max-peer-connections",
    "COUNT",
    "of nodes and client libraries at one time, likewise",
    text(nodeConfigDefaults.peerConnectionsMax),
  ),
  setting(
    "anti-entropy-ms",
    "MS",
    "so often this node compares what it holds with another one",
    text(nodeConfigDefaults.antiEntropy.intervalMs),
  ),
  setting("anti-entropy-hours", "FROM-TO", "only in these hours of the day, UTC, such as 22-6; default: always"),
  setting(
    "scrub-bytes-per-second",
    "BYTES",
    "all data is read and checked at this pace, once a day at most; 0: never",
    text(nodeConfigDefaults.scrubBytesPerSecond),
  ),
  setting(
    "reap-after-ms",
    "MS",
    "what was deleted or has expired is forgotten so much later, at the earliest",
    text(nodeConfigDefaults.reapAfterMs),
  ),
  setting(
    "foreground-p99-ms",
    "MS",
    "work in the background yields while more than 1 % of all requests take longer",
    text(nodeConfigDefaults.foregroundP99Ms),
  ),
  setting(
    "segment-bytes",
    "BYTES",
    "size of the files of the log",
    text(nodeConfigDefaults.segmentBytes),
  ),
  setting(
    "compaction-cold-ms",
    "MS",
    "files written to within this time are not compacted",
    text(nodeConfigDefaults.compactionColdMs),
  ),
  setting(
    "snapshot-bytes",
    "BYTES",
    "so much log is read at a start, then the index is written to disk; 0: all is read",
    text(nodeConfigDefaults.snapshotBytes),
  ),
  setting("log", "FORM", "text or json (default: json under systemd, else text)"),
  setting("secret-file", "FILE", "the cluster's secret: nodes prove it, clients need tokens (halo token)"),
  setting("tls-cert", "FILE", "certificate of this node, in PEM: both ports speak TLS, 1.2 or newer"),
  setting("tls-key", "FILE", "its key, in PEM"),
  setting("tls-ca", "FILE", "authorities, in PEM: nodes show each other certificates that these have signed"),
  setting("tls-peer-name", "NAME", "with --tls-ca: a DNS name that every node's certificate is made out to"),
  setting("tls", "MODE", "required, optional (both ports take plain connections as well) or off; default: as --tls-cert is given"),
  setting("insecure", "", "listen off the loopback interface without authentication"),
];

function text(value: number): string {
  return String(value);
}

/** Settings of the process around the node. */
export interface ServeConfig {
  readonly dataFolder: string;
  readonly logForm: "text" | "json";
  /** Bytes of values on their way in at one time. */
  readonly bodyBytesMax: number;
  /** host:port where clients reach this node; "": as bound, or at the host where other nodes do. */
  readonly advertiseHttp: string;
  /** As asked for; the descriptors of the process may not reach so far. */
  readonly connections: ConnectionShares;
  /** Null: both ports are plain. */
  readonly tls: TlsConfig | null;
  /** The only host that requests may name, besides localhost and the like; null: any (http/host.ts). */
  readonly ownHost: string | null;
  readonly node: NodeConfig;
}

/** @param underSystemd whether standard error goes to the journal */
export function readServeConfig(line: CommandLine, underSystemd: boolean): ServeConfig {
  const node = readNodeConfig(line);
  const tls = readTlsConfig(line);
  const isLoopback = !line.flag("insecure") && node.secret === null;
  if (isLoopback) {
    checkLoopback(line, "http");
    checkLoopback(line, "tcp");
  }
  const form = line.text("log") === "" ? (underSystemd ? "json" : "text") : line.text("log");
  if (form !== "text" && form !== "json") throw wrong(line, "log", "text or json");
  if (line.text("data") === "") throw wrong(line, "data", "a folder");
  return {
    dataFolder: line.text("data"),
    logForm: form,
    bodyBytesMax: bodyBytesMax(node),
    advertiseHttp: reachable(line, "advertise-http"),
    connections: {
      http: wholeNumber(line, "max-http-connections", 1, CONNECTIONS_MAX),
      peers: node.peerConnectionsMax,
    },
    tls,
    // A browser that was led here under another name finds no such certificate.
    ownHost: isLoopback && tls?.isOptional !== false ? parseAddress(node.http)?.host ?? null : null,
    node,
  };
}

/** Where clients are sent: nobody can be sent to all addresses of a machine. @param bound host:port */
export function advertisedHttp(
  { advertiseHttp, node }: Pick<ServeConfig, "advertiseHttp"> & { node: Pick<NodeConfig, "advertise" | "tcp"> },
  bound: string,
): string {
  if (advertiseHttp !== "" || !isEverywhere(bound)) return advertiseHttp || bound;
  const host = parseAddress(node.advertise || node.tcp)?.host ?? "";
  return formatAddress(host, parseAddress(bound)?.port ?? 0);
}

/** They fit in what the memory's watermark leaves, the largest value among them. */
function bodyBytesMax({ memoryBytesMax, maxValueBytes }: NodeConfig): number {
  if (memoryBytesMax === 0) return BODY_BYTES_IN_FLIGHT_MAX;
  const room = Math.floor(memoryBytesMax / BODY_PART_OF_MEMORY);
  return Math.min(BODY_BYTES_IN_FLIGHT_MAX, Math.max(room, maxValueBytes));
}

/** @throws UsageError */
function antiEntropy(line: CommandLine): NodeConfig["antiEntropy"] {
  const intervalMs = wholeNumber(line, "anti-entropy-ms", 100, 2 ** 31 - 1);
  const hours = line.text("anti-entropy-hours");
  if (hours === "") return { intervalMs, fromHour: 0, toHour: 0 };
  const [fromHour = 24, toHour = 24] = /^\d{1,2}-\d{1,2}$/.test(hours) ? hours.split("-").map(Number) : [];
  if (fromHour > 23 || toHour > 23) throw wrong(line, "anti-entropy-hours", "two hours from 0 to 23, such as 22-6");
  return { intervalMs, fromHour, toHour };
}

function readNodeConfig(line: CommandLine): NodeConfig {
  return {
    ...nodeConfigDefaults,
    name: words(line, "name"),
    tcp: address(line, "tcp"),
    advertise: advertised(line),
    http: address(line, "http"),
    join: addresses(line, "join"),
    joinStaged: line.flag("join-staged"),
    secret: secret(line),
    zone: words(line, "zone"),
    capacity: wholeNumber(line, "capacity", 1, CAPACITY_MAX),
    engine: engine(line),
    partitions: powerOfTwo(line, "partitions"),
    replicas: wholeNumber(line, "replicas", 1, REPLICAS_MAX),
    defaults: {
      r: quorum(line, "r", 1),
      w: quorum(line, "w", 1),
      dw: quorum(line, "dw", 0),
      pr: quorum(line, "pr", 0),
      pw: quorum(line, "pw", 0),
    },
    maxValueBytes: wholeNumber(line, "max-value-bytes", 1, VALUE_BYTES_MAX_LIMIT),
    clockEntriesMax: wholeNumber(line, "max-clock-entries", 1, 255),
    maxSkewMs: wholeNumber(line, "max-skew-ms", 1, 86_400_000),
    syncIntervalMs: wholeNumber(line, "sync-interval-ms", 1, 60_000),
    hintsBytesMax: wholeNumber(line, "hints-bytes-max", 0, Number.MAX_SAFE_INTEGER),
    freeBytesMin: wholeNumber(line, "free-bytes-min", 0, Number.MAX_SAFE_INTEGER),
    memoryBytesMax: memoryBytes(line),
    peerConnectionsMax: wholeNumber(line, "max-peer-connections", 1, CONNECTIONS_MAX),
    scrubBytesPerSecond: wholeNumber(line, "scrub-bytes-per-second", 0, 2 ** 40),
    reapAfterMs: wholeNumber(line, "reap-after-ms", 0, 2 ** 40),
    antiEntropy: antiEntropy(line),
    requestsMax: wholeNumber(line, "max-requests", 1, 1_000_000),
    foregroundP99Ms: wholeNumber(line, "foreground-p99-ms", 1, 60_000),
    segmentBytes: wholeNumber(line, "segment-bytes", SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX),
    compactionColdMs: wholeNumber(line, "compaction-cold-ms", 0, 86_400_000),
    snapshotBytes: wholeNumber(line, "snapshot-bytes", 0, Number.MAX_SAFE_INTEGER),
  };
}

/** A setting that means nothing: what was given, where, and what is wanted. */
function wrong(line: CommandLine, name: string, wanted: string): UsageError {
  return new UsageError(`${line.place(name)} is '${line.text(name)}', want ${wanted}`);
}

function address(line: CommandLine, name: string): string {
  const given = line.text(name);
  if (parseAddress(given) === null) throw wrong(line, name, "host:port as in 127.0.0.1:7070");
  return given;
}

function addresses(line: CommandLine, name: string): string[] {
  const given = line.text(name).split(",").map((one) => one.trim()).filter((one) => one !== "");
  if (given.some((one) => parseAddress(one) === null)) {
    throw wrong(line, name, "host:port, several with commas between");
  }
  return given;
}

function words(line: CommandLine, name: string): string {
  const given = line.text(name);
  if (!/^[^\x00-\x1f\x7f]{0,255}$/.test(given)) throw wrong(line, name, "at most 255 characters");
  return given;
}

function wholeNumber(line: CommandLine, name: string, least: number, most: number): number {
  const given = line.text(name);
  const number = /^\d{1,16}$/.test(given) ? Number(given) : -1;
  if (number < least || number > most) {
    throw wrong(line, name, `a whole number from ${least} to ${most}`);
  }
  return number;
}

/** A bound that leaves room for the runtime, or none. */
function memoryBytes(line: CommandLine): number {
  const name = "max-memory-bytes";
  const given = wholeNumber(line, name, 0, Number.MAX_SAFE_INTEGER);
  if (given === 0 || given >= MEMORY_BYTES_MIN) return given;
  throw wrong(line, name, `0 or a whole number from ${MEMORY_BYTES_MIN}`);
}

function powerOfTwo(line: CommandLine, name: string): number {
  const number = wholeNumber(line, name, 1, PARTITIONS_MAX);
  if ((number & (number - 1)) !== 0) throw wrong(line, name, "a power of two");
  return number;
}

function quorum(line: CommandLine, name: string, least: number): Quorum {
  const parsed = parseQuorum(line.text(name), least);
  if (parsed === null || parsed === "default") {
    throw wrong(line, name, `a number from ${least}, or one, quorum, all`);
  }
  return parsed;
}

function engine(line: CommandLine): "log" | "memory" {
  const given = line.text("engine");
  if (given === "log" || given === "memory") return given;
  throw wrong(line, "engine", "log or memory");
}

function secret(line: CommandLine): Uint8Array | null {
  const path = line.text("secret-file");
  return path === "" ? null : readClusterSecret(path, line.place("secret-file"));
}

/** Nobody but this machine may reach a node that asks nobody who they are. */
/** An address that others are sent to; "": none is given. @throws UsageError */
function reachable(line: CommandLine, name: string): string {
  if (line.text(name) === "") return "";
  const given = address(line, name);
  if (isEverywhere(given)) throw wrong(line, name, "an address that this machine alone has, such as 10.0.0.1:7071");
  return given;
}

/** Nobody can be sent to all addresses of a machine. @throws UsageError */
function advertised(line: CommandLine): string {
  const given = reachable(line, "advertise");
  if (given !== "" || !isEverywhere(line.text("tcp"))) return given;
  throw wrong(line, "tcp", "--advertise HOST:PORT beside it: where other nodes reach this one");
}

function checkLoopback(line: CommandLine, name: string): void {
  const host = parseAddress(line.text(name))?.host ?? "";
  if (host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host)) return;
  const wanted = "a loopback address as in 127.0.0.1, or --secret-file, or --insecure for no authentication";
  throw wrong(line, name, wanted);
}
