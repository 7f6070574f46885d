/**
 * Opens the two stores of a node, objects/ and hints/, as its configuration says: on disk or in memory,
 * with what replication wants to know of the log's history; tells the operator of a long recovery and of
 * what it found.
 */

import { merkleKey } from "../core/merkle-digest.ts";
import type { Engine, EngineOptions } from "../storage/engine.ts";
import type { CompactionOptions } from "../storage/log/compaction.ts";
import { openLogEngine, type LogEngine, type LogOptions } from "../storage/log/log-engine.ts";
import { openMemoryEngine } from "../storage/memory/memory-engine.ts";
import type { Background } from "./admission/background.ts";
import type { Membership } from "./membership/membership.ts";
import type { NodeConfig } from "./node-config.ts";
import type { Ports } from "./ports/ports.ts";
import type { HintRequests } from "./replication/hint-requests.ts";
import { requestHistory } from "./replication/request-history.ts";
import type { SupersededRequests } from "./replication/superseded.ts";

/** Recent objects held in memory: reads look there before they go to the log (the paper's 6.1). */
export const OBJECT_BUFFER_BYTES = 16 << 20;

/** How often the operator hears how far the reading of a log has come. */
const TOLD_EVERY_MS = 2_000;

/** What the stores of a node depend on. */
export interface StoreParts {
  readonly ports: Ports;
  readonly config: NodeConfig;
  readonly membership: Membership;
  readonly superseded: SupersededRequests;
  readonly hintRequests: HintRequests;
  readonly background: Background;
  /** "" or why no store may take more memory. */
  mayGrow(): string;
}

export type StoreFolder = "objects" | "hints";

/** Calls back with the store, or with null and one sentence. */
export function openStore(
  parts: StoreParts,
  folder: StoreFolder,
  done: (engine: Engine | null, error: string) => void,
): void {
  const { ports, config } = parts;
  const options = engineOptions(parts, folder);
  if (config.engine === "memory") return done(openMemoryEngine(options), "");
  const log = { ...options, ...logOptions(parts, folder) };
  return openLogEngine(ports.disk, log, (engine, error) => {
    if (engine !== null) tellRecovery(ports, folder, engine);
    done(engine, error);
  });
}

function engineOptions(parts: StoreParts, folder: StoreFolder): EngineOptions {
  const { config, membership } = parts;
  return {
    folder,
    partitionBits: membership.layouts.current.partitionBits,
    treeKey: merkleKey(membership.contextKey),
    freeBytesMin: config.freeBytesMin,
    totalBytesMax: folder === "hints" ? config.hintsBytesMax : 0,
    streamBytesMin: config.streamBytesMin,
    sliceBytes: config.sliceBytes,
    mayGrow: () => parts.mayGrow(),
  };
}

function logOptions(parts: StoreParts, folder: StoreFolder): Omit<LogOptions, keyof EngineOptions> {
  const { ports, config, superseded, hintRequests } = parts;
  return {
    segmentBytes: config.segmentBytes,
    snapshotBytes: config.snapshotBytes,
    bufferBytes: folder === "objects" ? OBJECT_BUFFER_BYTES : 0,
    history: requestHistory(superseded, ports.clock, folder === "hints" ? hintRequests : null),
    compaction: compactionOptions(parts, folder, config.compactionColdMs),
    progress: recoveryProgress(ports, folder),
    soon: (callback) => ports.clock.soon(callback),
  };
}

function compactionOptions(
  { ports, background }: StoreParts,
  folder: StoreFolder,
  coldMs: number,
): CompactionOptions {
  const { clock, log } = ports;
  return {
    clock,
    pacer: { after: (bytes, step) => background.after("compaction", bytes, step) },
    coldMs,
    told: (trouble) => log.warn("compaction", { folder, trouble }),
  };
}

/** Tells how far the reading of a long log has come, at most once in a while. */
function recoveryProgress(
  ports: Ports,
  folder: StoreFolder,
): (bytesDone: number, bytesTotal: number) => void {
  const { clock, log } = ports;
  let toldMs = clock.elapsedMs();
  return (bytesDone, bytesTotal) => {
    const nowMs = clock.elapsedMs();
    if (nowMs - toldMs < TOLD_EVERY_MS) return;
    toldMs = nowMs;
    const percent = Math.floor((bytesDone * 100) / bytesTotal);
    log.info("reading the log", { folder, percent, bytesDone, bytesTotal });
  };
}

function tellRecovery(ports: Ports, folder: StoreFolder, engine: LogEngine): void {
  const { damaged, lostNames, tornBytes, snapshotProblem } = engine.recovery;
  if (snapshotProblem !== "") {
    const reason = snapshotProblem;
    ports.log.warn("the whole log was read: its index snapshot does not fit", { folder, reason });
  }
  if (damaged === 0 && tornBytes === 0) return;
  ports.log.warn("recovery found damage", { folder, damaged, lostNames, tornBytes });
}
