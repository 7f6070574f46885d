/** What the replication and coordination floors count, for /stats; plain numbers, one owner each. */
export class Counters {
  puts = 0;
  gets = 0;
  listings = 0;
  deletes = 0;
  forwarded = 0;
  writesRefused = 0;
  writesUnknown = 0;
  readsFailed = 0;
  /** Requests that were refused because too many waited for their answer. */
  requestsOverloaded = 0;
  siblingsReturned = 0;
  /** Writes that left an object with SIBLINGS_WARN versions or more. */
  siblingsMany = 0;
  clockTruncations = 0;
  readRepairs = 0;
  hintsStored = 0;
  hintsDelivered = 0;
  hintsFull = 0;
  /** Hints whose owner is gone, given to those who own the name now. */
  hintsHandedOver = 0;
  /** Copies given up of partitions that are owned no longer. */
  surplusDropped = 0;
  /** Partitions that came in chunks to the end; the bytes of chunks, and objects that were new in them. */
  transfersEnded = 0;
  transferredBytes = 0;
  transferredObjects = 0;
  /** Rounds that this node led to their end; sets that were forgotten here; states refused as of a closed round. */
  roundsClosed = 0;
  setsReaped = 0;
  closedRefused = 0;
  comparisons = 0;
  comparisonsDiffering = 0;
  antiEntropyRepairs = 0;
  damagedReads = 0;
  /** Whole rounds of scrub, what they read, what they found damaged, and what was made good. */
  scrubRounds = 0;
  scrubbedRecords = 0;
  scrubbedBytes = 0;
  scrubDamaged = 0;
  scrubRepaired = 0;
  lateTwins = 0;
  retriesRecognised = 0;
  staleRefused = 0;
}
