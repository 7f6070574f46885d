/**
 * How the file descriptors of a process are shared out, so that connections never take what data files
 * need.
 *
 *   ├─ runtime ─┼──── files: a quarter ────┼─ peers: a quarter of the rest ─┼──── clients ────┤
 *   0          16                                                                          max
 */

/** Below it, not even the parts of a node at rest have what they need. */
export const DESCRIPTORS_MIN = 64;
/** What the runtime and the two doors take. */
const RUNTIME = 16;
const FILES_MIN = 24;
/** Segments of 64 MiB: a quarter of a terabyte. */
const FILES_MAX = 4096;

export interface ConnectionShares {
  /** Connections that are accepted from clients, by HTTP. */
  readonly http: number;
  /** Connections that are accepted from nodes and client libraries, by TCP. */
  readonly peers: number;
}

/**
 * What is asked for, as far as the descriptors reach. REQUIRES: max ≥ DESCRIPTORS_MIN
 * @param max descriptors of the process; Infinity: nobody knows
 * @param perClient descriptors of one connection from a client
 */
export function connectionShares(max: number, asked: ConnectionShares, perClient = 1): ConnectionShares {
  if (max === Infinity) return asked;
  const files = Math.min(FILES_MAX, Math.max(FILES_MIN, Math.floor(max / 4)));
  const left = max - RUNTIME - files;
  const peers = Math.min(asked.peers, Math.floor(left / 4));
  return { peers, http: Math.min(asked.http, Math.floor((left - peers) / perClient)) };
}
