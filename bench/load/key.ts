/**
 * The 16-byte keys of the benchmarks, written in place.
 *
 *   "key" + twelve digits + "k"           plain, as HTTP paths and RESP want it
 *   "a2V5" + sixteen characters + "aw=="  base64, as etcd's JSON gateway wants it
 *
 * Three digits are three bytes and four base64 characters, and "key" is three bytes as well: both
 * forms are a row of groups that never straddle, so a table of 1,000 groups writes either. A
 * prebuilt request then costs four table look-ups a request and no allocation, however many keys
 * there are.
 */

export const KEY_BYTES = 16;
export const KEY_BASE64_BYTES = 24;
/** Keys are numbered from 0 to this, not included. */
export const KEYS_LIMIT = 1e12;

const PREFIX = "key";
const SUFFIX = "k";
const GROUPS = 4;
const GROUP_VALUES = 1000;

const plainGroups = groupTable(3, (digits) => digits);
const base64Groups = groupTable(4, (digits) => btoa(digits));

/** Key number 0 in both forms: what a template starts from. */
export const FIRST_KEY = PREFIX + "000".repeat(GROUPS) + SUFFIX;
export const FIRST_KEY_BASE64 = btoa(FIRST_KEY);

/** Makes the key that starts at `target[start]` key number `index`. */
export function writeKey(target: Uint8Array, start: number, index: number): void {
  writeGroups(target, start + PREFIX.length, index, plainGroups, 3);
}

/** The same for a key in base64. */
export function writeKeyBase64(target: Uint8Array, start: number, index: number): void {
  writeGroups(target, start + 4, index, base64Groups, 4);
}

function writeGroups(
  target: Uint8Array,
  start: number,
  index: number,
  groups: Uint8Array,
  width: number,
): void {
  let rest = index;
  for (let group = GROUPS - 1; group >= 0; group--) {
    const source = (rest % GROUP_VALUES) * width;
    const to = start + group * width;
    for (let byte = 0; byte < width; byte++) target[to + byte] = groups[source + byte];
    rest = Math.floor(rest / GROUP_VALUES);
  }
}

function groupTable(width: number, encode: (digits: string) => string): Uint8Array {
  const table = new Uint8Array(GROUP_VALUES * width);
  for (let value = 0; value < GROUP_VALUES; value++) {
    const text = encode(String(value).padStart(3, "0"));
    for (let byte = 0; byte < width; byte++) table[value * width + byte] = text.charCodeAt(byte);
  }
  return table;
}
