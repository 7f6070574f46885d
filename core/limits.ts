/**
 * Every limit that a request, a frame or a record can run into, in one place.
 *
 * A limit is a promise on both sides: what is within it works, what is beyond it is refused with a
 * sentence. Each has a test on both sides of its edge. Sizes are bytes, times are milliseconds.
 */

/** A bucket is 1 to 255 bytes without a slash. */
export const BUCKET_BYTES_MAX = 255;
/** A key is 1 to 4,096 bytes of anything. */
export const KEY_BYTES_MAX = 4096;
/** Bucket, slash, key. */
export const NAME_BYTES_MAX = BUCKET_BYTES_MAX + 1 + KEY_BYTES_MAX;

/** The largest value unless the configuration says otherwise. */
export const VALUE_BYTES_MAX_DEFAULT = 1 << 20;
/** The largest value that a configuration may allow. */
export const VALUE_BYTES_MAX_LIMIT = 64 << 20;
/** A content type, in bytes of its header value. */
export const CONTENT_TYPE_BYTES_MAX = 255;
/** All user metadata of a version: names and values together. */
export const META_BYTES_MAX = 2048;
/** A version's packed metadata block: content type and user metadata with their length bytes. */
export const META_BLOCK_BYTES_MAX = 4096;

/**
 * A payload of more bytes than this is streamed: it is never whole in memory. A value of the default
 * limit is not.
 */
export const STREAM_BYTES_MIN = VALUE_BYTES_MAX_DEFAULT + META_BLOCK_BYTES_MAX;
/**
 * A request that moves a large payload has no deadline but this: it ends when nothing has moved for so
 * long (or for its own timeout, where that is longer).
 */
export const STALL_MS_MAX = 30_000;
/** Large payloads that are on their way into a node, or wait there for what refers to them. */
export const STAGED_MAX = 1_024;
/** What came in, and was not asked for or gone on with for so long, is given up. */
export const STAGED_MS_MAX = 60_000;
/** Large payloads that go to one node at a time, and slices of each that it has not acknowledged. */
export const LANES_MAX = 8;
export const SLICES_UNDER_WAY = 2;
/** What is held at one time of a payload that is streamed; the unit of its checksums on disk. */
export const SLICE_BYTES = 256 << 10;

/** A context as a client carries it, in characters. */
export const CONTEXT_CHARS_MAX = 1024;
/** Pairs that a coordinator leaves in a clock unless the configuration says otherwise. */
export const CLOCK_ENTRIES_MAX_DEFAULT = 10;
/** Siblings from which on a write is counted as suspicious (/stats: siblingsMany). */
export const SIBLINGS_WARN = 25;
/** Siblings beyond which no further one is made (a merge never refuses). */
export const SIBLINGS_MAX = 100;

/** Copies of an object unless the cluster was founded with another number. */
export const REPLICAS_DEFAULT = 3;
export const REPLICAS_MAX = 8;
/** Equal parts of the ring unless the cluster was founded with another number; a power of two. */
export const PARTITIONS_DEFAULT = 1024;
export const PARTITIONS_MAX = 65536;
/** Full membership at every node is the paper's own range; beyond it a gossip hierarchy is needed. */
export const NODES_MAX = 1024;

export const TIMEOUT_MS_DEFAULT = 5_000;
export const TIMEOUT_MS_MAX = 60_000;
/** How late a retry may come: a request id drawn longer ago is refused. */
export const REQUEST_ID_AGE_MS_MAX = 600_000;
/** How far a client's clock may be ahead: a request id drawn further in the future is refused. */
export const REQUEST_ID_AHEAD_MS_MAX = 60_000;
/**
 * A request id drawn longer ago, or further in the future, may be a retry's: it is asked about first.
 * A first attempt arrives within milliseconds.
 */
export const REQUEST_ID_FRESH_MS_MAX = 100;
/**
 * How long the request ids of superseded versions are remembered: as long as a retry is taken, by the
 * clock that is furthest behind, and may be under way.
 */
export const REQUEST_ID_KEPT_MS =
  REQUEST_ID_AGE_MS_MAX + REQUEST_ID_AHEAD_MS_MAX + TIMEOUT_MS_MAX;
/** A last-write-wins coordinator this far off its peers' median refuses (unless configured). */
export const SKEW_MS_MAX_DEFAULT = 2_000;
/** Replicas that were not asked for a durable write sync at least this often. */
export const SYNC_INTERVAL_MS_DEFAULT = 100;

/** Dots and counters are 48-bit: at a million writes a second an actor lasts nine years. */
export const COUNTER_MAX = 2 ** 48 - 1;
/** Dots reserved by one synced write of the actor file. */
export const COUNTER_BLOCK = 65_536;

/** Bytes of request bodies that a node holds at one time; beyond it a write is answered 503. */
export const BODY_BYTES_IN_FLIGHT_MAX = 256 << 20;
/** How long a request body may take to arrive; the rest of the request has its own timeout. */
export const BODY_MS_MAX = 60_000;
/** The JSON of a bucket's properties. */
export const BUCKET_PROPERTIES_BYTES_MAX = 16 << 10;

/** Keys in a page of a listing, unless it asks for another number; and the most that it may ask for. */
export const LIST_KEYS_DEFAULT = 1_000;
export const LIST_KEYS_MAX = 10_000;
/** Bytes of keys from which on a page of a listing ends. */
export const LIST_BYTES_MAX = 1 << 20;
/** Rounds of questions to replicas from which on a page ends, however empty it is. */
export const LIST_ROUNDS_MAX = 64;
/** What a replica reads for one answer to a listing: heads of entries, slices of its index, bytes. */
export const RUN_ENTRIES_MAX = 256;
export const RUN_SLICES_MAX = 16;
export const RUN_BYTES_MAX = 256 << 10;
/** The time after which it answers what it has so far; and how long it is waited for. */
export const RUN_MS_MAX = 200;
export const RUN_TIMEOUT_MS = 1_000;
/** Heads that a listing asks a replica for at once, and their bytes in an answer. */
export const LIST_HEADS_MAX = 256;
export const LIST_HEADS_BYTES_MAX = 512 << 10;

/** An answer of fewer bytes is not compressed: it goes out in one packet anyway. */
export const COMPRESSION_BYTES_MIN = 1_024;
/** Answers that are compressed at one time, a MiB or two each; further ones go out as they are. */
export const COMPRESSIONS_MAX = 32;
