/**
 * halo export and halo import: what comes out of a bucket goes into another one as it was; halves, rubbish and
 * archives of others are taken as far as they go, or refused in one sentence.
 */

import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { halo, HALO, type ServedNode, serveNode, temporaryFolder } from "./program.ts";

t.setTimeout(200_000);

const LARGE_BYTES = 8 << 20;

let node: ServedNode;
let at: string[];
let folder: string;

t.before(async () => {
  folder = temporaryFolder(t);
  node = await serveNode(t, join(folder, "data"), ["--max-value-bytes", String(64 << 20)]);
  at = ["--node", node.url];
  await fill();
});

/** Siblings, metadata, lifetimes, keys of all kinds, nothing, and a value that streams. */
async function fill(): Promise<void> {
  const puts: [name: string, ...more: string[]][] = [
    ["cart/user-1", "first", "--content-type", "text/plain", "--meta", "by=änn"],
    ["cart/user-1", "second"],
    ["cart/empty", ""],
    ["cart/short", "lived", "--ttl", "5000"],
    ["cart/a/b c%~1", "a path"],
    ["cart/..", "no folder"],
    ["cart/packed", "x", "--content-encoding", "gzip"],
  ];
  for (const put of puts) await halo(["put", ...put, ...at]);
  await fetch(`${node.url}/kv/cart?key64=_v8`, { method: "PUT", body: Uint8Array.of(0, 255) });
  const large = new Uint8Array(randomBytes(LARGE_BYTES));
  await fetch(`${node.url}/kv/cart/large`, { method: "PUT", body: large, headers: { "Content-Type": "image/png" } });
  for (let index = 0; index < 50; index++) {
    await fetch(`${node.url}/kv/cart/many-${index}`, { method: "PUT", body: `value ${index}` });
  }
}

/** What the lines of a file say, by key; times aside, which an import makes anew. */
function objectsIn(file: string): Map<string, string[]> {
  const objects = new Map<string, string[]>();
  for (const line of readFileSync(file, "utf8").trim().split("\n")) {
    const { key, key64, siblings } = JSON.parse(line) as {
      key?: string;
      key64?: string;
      siblings: { time?: string; expires?: string }[];
    };
    const texts = siblings.map(({ time: _, expires, ...rest }) => JSON.stringify({ ...rest, expires: expires?.slice(0, 15) }));
    objects.set(key ?? `64:${key64}`, texts.sort());
  }
  return objects;
}

async function exported(bucket: string, name: string): Promise<string> {
  const file = join(folder, name);
  const { code, stderr } = await halo(["export", bucket, file, ...at]);
  t.match({ code, stderr }, { code: 0, stderr: /exported \d+ objects/ });
  return file;
}

for (const form of ["ndjson", "tar"]) {
  t.test(`a bucket goes through ${form} into another one, and comes out the same; again, it stays the same`, async (tt) => {
    const file = await exported("cart", `cart.${form}`);
    const wanted = objectsIn(await exported("cart", "wanted.ndjson"));
    tt.equal(wanted.size, 58);
    tt.equal(wanted.get("user-1")?.length, 2, "with siblings");
    for (const say of ["once", "twice"]) {
      const { code, stdout } = await halo(["import", form, file, "--json", ...at]);
      const counts = { bucket: form, imported: 58, skipped: 0, expired: 0, refused: 0, unknown: 0 };
      tt.same([code, JSON.parse(stdout)], [0, counts], say);
      tt.strictSame(objectsIn(await exported(form, `${form}.again`)), wanted, say);
    }
  });
}

t.test("tar reads the archive, and keys that are paths stay in their folder", async (tt) => {
  const file = await exported("cart", "other.tar");
  const list = spawnSync("tar", ["tf", file], { encoding: "utf8" }).stdout.split("\n");
  tt.ok(["user-1", "user-1~1", "a%2Fb%20c%25~1", "%2E%2E"].every((name) => list.includes(name)), list.join(" "));
});

t.test("an archive that tar has made: its paths are the keys", async (tt) => {
  mkdirSync(join(folder, "site/css"), { recursive: true });
  writeFileSync(join(folder, "site/css/main.css"), "p {}");
  writeFileSync(join(folder, "site/index.html"), "<p>");
  spawnSync("tar", ["cf", join(folder, "site.tar"), "-C", join(folder, "site"), "."]);
  const { code, stdout } = await halo(["import", "site", join(folder, "site.tar"), ...at]);
  tt.same([code, stdout], [0, "imported 2 objects into site\n"]);
  tt.equal((await halo(["get", "site/css/main.css", ...at])).stdout, "p {}");
});

t.test("through pipes: the one's output is the other's input", (tt) => {
  const pipe = `${HALO} export cart --node ${node.url} | ${HALO} import piped --node ${node.url}`;
  const { status, stdout } = spawnSync("sh", ["-c", pipe], { encoding: "utf8" });
  tt.same([status, stdout], [0, "imported 58 objects into piped\n"]);
  tt.end();
});

t.test("what is there stays where that is asked for; what has expired is left out", async (tt) => {
  const lines = [
    `{"key":"a","siblings":[{"value":"YQ=="}]}`,
    `{"key":"b","siblings":[{"value":"Yg==","expires":"2020-01-01T00:00:00Z"}]}`,
  ];
  const file = join(folder, "few.ndjson");
  writeFileSync(file, lines.join("\n"));
  await halo(["put", "few/a", "older", ...at]);
  const { code, stdout } = await halo(["import", "few", file, "--if-absent", ...at]);
  tt.same([code, stdout], [0, "imported 0 objects into few, 1 were there, 1 had expired\n"]);
  tt.equal((await halo(["get", "few/a", ...at])).stdout, "older");
  tt.equal((await halo(["import", "few", file, ...at])).code, 0);
  tt.equal((await halo(["get", "few/a", ...at])).stdout, "a", "else it is replaced, without a sibling");
});

t.test("what is no export is refused in one sentence that says where", async (tt) => {
  const cases: [text: string, wanted: RegExp][] = [
    ["nonsense", /Line 2 is 'nonsense', want an object in JSON/],
    ["[1]", /Line 2 is '\[1\]', want an object/],
    [`{"siblings":[{"value":""}]}`, /Line 2 has no key, want key \(text\) or key64/],
    [`{"key":"a","key64":"YQ","siblings":[{"value":""}]}`, /Line 2 has no key/],
    [`{"key":"a"}`, /Line 2 has no siblings/],
    [`{"key":"a","siblings":[]}`, /Line 2 has no siblings/],
    [`{"key":"a","siblings":[{"value":"*"}]}`, /Line 2 has a value that is no base64/],
    [`{"key":"a","siblings":[{"value":"","meta":{"a":1}}]}`, /Line 2 has a meta that is no object of texts/],
    [`{"key":"a","siblings":[{"value":"","expires":"soon"}]}`, /Line 2 expires 'soon', want a time/],
    [`{"key":"a","siblings":[{"value":"","ttl":1}]}`, /Line 2 has a field 'ttl', want value, /],
  ];
  const file = join(folder, "bad.ndjson");
  for (const [text, wanted] of cases) {
    writeFileSync(file, `{"key":"good","siblings":[{"value":"YQ=="}]}\n${text}\n`);
    const { code, stdout, stderr } = await halo(["import", "bad", file, ...at]);
    tt.match({ code, stdout, stderr }, { code: 1, stdout: "imported 1 objects into bad\n", stderr: wanted }, text);
  }
});

t.test("half an archive says so, and what came before is there; a file that is none, too", async (tt) => {
  const file = await exported("cart", "half.tar");
  truncateSync(file, statSync(file).size / 2);
  const half = await halo(["import", "half", file, ...at]);
  // It breaks off within the value that streams, whose put ends with it.
  tt.match(half, { code: 5, stderr: /^halo: .*archive is truncated/ });
  tt.match(half.stdout, /imported [1-9]\d* objects/);
  writeFileSync(file, randomBytes(5_000));
  tt.match(await halo(["import", "half", file, ...at]), { code: 1, stderr: /breaks off or is none/ });
  tt.match(await halo(["import", "half", join(folder, "none"), ...at]), { code: 1, stderr: /Cannot read .*none/ });
  tt.match(await halo(["export", "cart", join(file, "x"), ...at]), { code: 1, stderr: /Cannot write/ });
  tt.match(await halo(["import", "half", file, "--format", "zip", ...at]), { code: 2, stderr: /--format is 'zip', want ndjson or tar/ });
});
