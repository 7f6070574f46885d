/** A cluster with a secret, as an operator meets it: the program, its tokens, and who is turned away. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { Background, HALO, halo, temporaryFolder } from "./program.ts";

t.setTimeout(60_000);

interface Listening {
  readonly http: string;
  readonly tcp: string;
}

t.test("nodes prove the secret, commands bring a token, everybody else is turned away", async (t) => {
  const folder = temporaryFolder(t);
  const secret = join(folder, "secret");
  const other = join(folder, "other");
  writeFileSync(secret, (await halo(["token", "secret"])).stdout);
  writeFileSync(other, (await halo(["token", "secret"])).stdout);
  const start = async (name: string, ...more: string[]): Promise<[Background, Listening]> => {
    const places = ["--data", join(folder, name), "--name", name, "--http", "127.0.0.1:0", "--tcp", "127.0.0.1:0"];
    const node = new Background(t, HALO, ["serve", "--json", ...places, ...more]);
    const [line] = await node.until(/^{"name".*$/m);
    return [node, JSON.parse(line) as Listening];
  };
  const [, n1] = await start("n1", "--secret-file", secret);
  const [, n2] = await start("n2", "--secret-file", secret, "--join", n1.tcp);
  const root = join(folder, "root");
  writeFileSync(root, (await halo(["token", "root", "--secret-file", secret])).stdout);
  const asRoot = ["--node", `http://${n1.http}`, "--token-file", root];

  const made = await halo(["token", "add", "shop", "--role", "write", "--bucket", "cart*", ...asRoot]);
  t.match(made, { code: 0, stdout: /^halo_[0-9a-f]{64}\n$/ });
  const shop = join(folder, "shop");
  writeFileSync(shop, made.stdout);
  const asShop = ["--node", `http://${n2.http}`, "--token-file", shop];
  t.match(await halo(["put", "cart/k", "two books", ...asShop]), { code: 0 }, "the other node knows the token");
  t.match(await halo(["get", "cart/k", ...asShop]), { code: 0, stdout: "two books" });
  t.match(await halo(["put", "stock/k", "x", ...asShop]), { code: 1, stderr: /'shop' is for other buckets/ });
  t.match(await halo(["token", "list", ...asShop]), { code: 1, stderr: /has the role write, wanted is admin/ });
  t.match(await halo(["get", "cart/k", "--node", `http://${n2.http}`]), { code: 1, stderr: /has no token/ });
  t.match(await halo(["token", "list", ...asRoot]), { stdout: /^shop +write +cart\* +never +no bound$/m });

  const [without] = await start("n3", "--join", n1.tcp);
  await without.until(/The cluster has a secret, and the node that dialled has none/);
  const [wrong] = await start("n4", "--join", n1.tcp, "--secret-file", other);
  await wrong.until(/The cluster there has another secret than this node/);
  const status = await halo(["cluster", "status", ...asRoot]);
  t.match(status.stdout, /n1[^]*n2/);
  t.notMatch(status.stdout, /n3|n4/);

  t.match(await halo(["token", "remove", "shop", ...asRoot]), { code: 0 });
  t.match(await halo(["get", "cart/k", ...asShop]), { code: 1, stderr: /not known to this cluster/ });
});

t.test("a secret opens other interfaces than loopback; one that is no secret is refused", async (t) => {
  const folder = temporaryFolder(t);
  const secret = join(folder, "secret");
  const serve = ["serve", "--http", "0.0.0.0:7070", "--secret-file", secret, "--print-config"];
  t.match(await halo(serve), { code: 2, stderr: /--secret-file is '.*secret', which cannot be read/ });
  writeFileSync(secret, "too short\n");
  t.match(await halo(serve), { code: 2, stderr: /which has several words in it, want one/ });
  writeFileSync(secret, "fifteen-letters\n");
  const short = await halo(serve);
  t.match(short, { code: 2, stderr: /whose secret has 15 characters, want 16 or more/ });
  t.notMatch(short.stderr, "fifteen", "what stands in the file is not said");
  writeFileSync(secret, "sixteen-letters!\n");
  const shown = await halo(serve);
  t.equal(shown.code, 0);
  t.notMatch(shown.stdout, "sixteen");
  t.match(await halo(["token", "root"]), { code: 2, stderr: /No secret is given, want --secret-file/ });
  t.match(await halo(["token", "add", "a"]), { code: 2, stderr: /No role is given/ });
  t.match(await halo(["token", "add", "a", "--role", "read", "--expires", "soon"]), { stderr: /--expires is 'soon'/ });
  t.match(await halo(["token", "add", "a", "--role", "read", "--rate", "0"]), { stderr: /--rate is '0'/ });
});
