/** What a campaign of kills counts. */

export interface KillCounts {
  kills: number;
  acknowledged: number;
  refused: number;
  unknown: number;
  reads: number;
  /** Keys that were read and judged after a restart. */
  verified: number;
  lost: number;
  nowhere: number;
  /** Segments that compaction emptied, as far as lives were long enough to be asked. */
  compacted: number;
  snapshots: number;
}

export function noCounts(): KillCounts {
  return {
    kills: 0,
    acknowledged: 0,
    refused: 0,
    unknown: 0,
    reads: 0,
    verified: 0,
    lost: 0,
    nowhere: 0,
    compacted: 0,
    snapshots: 0,
  };
}
