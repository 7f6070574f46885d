/** TLS as an operator and his clients meet it: the program, real certificates, curl, and somebody who listens in. */

import { readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import tls from "node:tls";
import t from "tap";
import { Authority } from "../certificates.ts";
import { Background, HALO, halo, isAlive, ROOT, runProgram, temporaryFolder, untilTrue } from "./program.ts";

t.setTimeout(120_000);

interface Test {
  teardown(callback: () => void): void;
}

interface Started {
  readonly process: Background;
  readonly http: string;
  readonly tcp: string;
}

async function start(test: Test, folder: string, name: string, more: readonly string[], command: readonly string[] = [HALO]): Promise<Started> {
  const places = ["--data", join(folder, name), "--name", name, "--http", "127.0.0.1:0", "--tcp", "127.0.0.1:0"];
  // The later of two flags would be an error: what is given replaces what is not.
  const own = places.filter((_, index) => !more.includes(places[index & ~1] ?? ""));
  const [program = "", ...before] = command;
  const node = new Background(test, program, [...before, "serve", "--json", ...own, ...more]);
  const [line] = await node.until(/^{"name".*$/m);
  const { http, tcp } = JSON.parse(line) as { http: string; tcp: string };
  return { process: node, http, tcp };
}

/** One authority, its file, and a folder. */
function authority(test: Test): { folder: string; ours: Authority; ca: string; theirs: Authority } {
  const folder = temporaryFolder(test);
  const ours = new Authority("ours");
  const ca = join(folder, "ca.pem");
  writeFileSync(ca, ours.pem);
  return { folder, ours, ca, theirs: new Authority("theirs") };
}

/** What curl prints, with the status behind it. */
async function curl(ca: string, ...given: string[]): Promise<string> {
  const { stdout } = await runProgram("curl", ["-s", "--max-time", "20", "--cacert", ca, "-w", " %{http_code}", ...given]);
  return stdout;
}

/** Hands on bytes and keeps them, in both directions. */
class Ear {
  heard = "";
  target = "";
  readonly address: string;
  constructor(address: string) {
    this.address = address;
  }

  static listen(test: Test): Promise<Ear> {
    return new Promise((resolve) => {
      const server = net.createServer((client) => {
        const port = Number(ear.target.split(":")[1]);
        const onward = net.connect(port, "127.0.0.1");
        for (const [from, to] of [[client, onward], [onward, client]] as const) {
          from.on("data", (chunk: Buffer) => {
            ear.heard += chunk.toString("latin1");
            to.write(chunk);
          });
          from.on("close", () => to.destroy());
          from.on("error", () => to.destroy());
        }
        open.add(client);
        client.on("close", () => open.delete(client));
      });
      const open = new Set<net.Socket>();
      let ear = new Ear("");
      test.teardown(() => {
        server.close();
        for (const client of open) client.destroy();
      });
      server.listen(0, "127.0.0.1", () => {
        const bound = server.address();
        ear = new Ear(`127.0.0.1:${typeof bound === "object" ? bound?.port : 0}`);
        resolve(ear);
      });
    });
  }
}

t.test("settings that would not work are refused before anything is opened", async (t) => {
  const { folder, ours, ca, theirs } = authority(t);
  const good = ours.issueFiles(folder, { name: "node" });
  const foreign = theirs.issueFiles(folder, { name: "foreign" });
  const expired = ours.issueFiles(folder, { name: "expired", daysFrom: -9, daysTo: -1 });
  const [, cert = "", , key = ""] = good;
  const serve = (...more: string[]) => halo(["serve", "--data", join(folder, "data"), "--print-config", ...more]);
  t.match(await serve(...good, "--tls-ca", ca), { code: 0, stdout: /^tls-ca +.*ca\.pem +--tls-ca$/m });
  t.match(await serve("--tls-cert", cert), { code: 2, stderr: /--tls-cert is given without --tls-key, want both/ });
  t.match(await serve("--tls-key", key), { code: 2, stderr: /--tls-key is given without --tls-cert, want both/ });
  t.match(await serve("--tls-ca", ca), { code: 2, stderr: /--tls-ca is given without --tls-cert, want both/ });
  t.match(await serve("--tls", "required"), { code: 2, stderr: /--tls is 'required' without --tls-cert/ });
  t.match(await serve(...good, "--tls", "maybe"), { code: 2, stderr: /--tls is 'maybe', want required, optional or off/ });
  t.match(await serve(...good, "--tls-peer-name", "a"), { code: 2, stderr: /--tls-peer-name is given without --tls-ca/ });
  t.match(await serve(...good, "--tls-ca", ca, "--tls-peer-name", "a b"), { code: 2, stderr: /--tls-peer-name is 'a b'/ });
  t.match(await serve("--tls-cert", cert, "--tls-key", foreign[3] ?? ""), { code: 2, stderr: /is that of another certificate/ });
  t.match(await serve("--tls-cert", key, "--tls-key", cert), { code: 2, stderr: /in which there is no certificate/ });
  t.match(await serve("--tls-cert", cert, "--tls-key", join(folder, "gone")), { code: 2, stderr: /which cannot be read: .*ENOENT/ });
  t.match(await serve(...expired), { code: 2, stderr: /whose certificate expired on/ });
  t.match(await serve(...foreign, "--tls-ca", ca), { code: 2, stderr: /whose certificate is of another authority/ });
  const open = await serve(...good, "--tls-ca", ca, "--http", "0.0.0.0:7070");
  t.match(open, { code: 2, stderr: /want a loopback address/ }, "TLS alone says nothing of who the clients are");
});

t.test("HTTPS for curl and for the commands; plain HTTP is told what is wrong", async (t) => {
  const { folder, ours, ca, theirs } = authority(t);
  const node = await start(t, folder, "n1", ours.issueFiles(folder, { name: "n1" }));
  const url = `https://${node.http}`;
  await untilTrue(async () => (await curl(ca, `${url}/readyz?for=write`)).endsWith("200"));
  t.match(await curl(ca, "-X", "PUT", "-d", "two books", `${url}/kv/cart/k`), / 204$/);
  t.match(await curl(ca, `${url}/kv/cart/k`), "two books 200");
  const large = join(folder, "large");
  writeFileSync(large, Buffer.alloc(900_000, "abcdefg"));
  t.match(await curl(ca, "-T", large, `${url}/kv/cart/large`), / 204$/);
  t.equal(await curl(ca, `${url}/kv/cart/large`), `${readFileSync(large)} 200`, "as it was");
  t.match(await curl(ca, `http://${node.http}/kv/cart/k`), /"code":"tls-required".* 400$/);
  const old = await runProgram("curl", ["-s", "--cacert", ca, "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0", `${url}/healthz`]);
  t.equal(old.code, 35, "TLS 1.1 is not spoken");
  t.match(await halo(["get", "cart/k", "--node", url, "--ca", ca]), { code: 0, stdout: "two books" });
  t.match(await halo(["get", "cart/k", "--node", url], { env: { HALO_CA: ca } }), { code: 0, stdout: "two books" });
  const untrusted = await halo(["put", "cart/k", "x", "--node", url]);
  t.match(untrusted, { code: 1, stderr: /The certificate of https:.* is not trusted .*want --ca/ }, "nothing was sent");
  const wrong = join(folder, "wrong.pem");
  writeFileSync(wrong, theirs.pem);
  t.match(await halo(["put", "cart/k", "x", "--node", url, "--ca", wrong]), { code: 1, stderr: /is not trusted/ });
  t.match(await halo(["get", "cart/k", "--ca", join(folder, "gone")]), { code: 2, stderr: /--ca is '.*gone', which cannot be read/ });
  t.match(await halo(["get", "cart/k", "--node", `http://${node.http}`]), { code: 1, stderr: /This port speaks TLS/ });
  const stats = JSON.parse((await curl(ca, `${url}/stats`)).replace(/ 200$/, "")) as Record<string, number>;
  t.equal(stats["tlsDaysLeft"], 9, "not quite ten days");
  t.match(node.process.output, /a certificate expires soon .*daysLeft=9/);
  const client = await connected(node.http, ours.pem);
  client.end("GET /kv/cart/k HTTP/1.1\r\nHost: halo\r\n\r\n");
  t.match(await textOf(client), /^HTTP\/1.1 200 [^]*two books$/, "also who has finished speaking is answered");
  node.process.kill("SIGTERM");
  t.equal(await node.process.ended, 0, "and it stops");
});

t.test("odd requests get over TLS the very answers that they get without", async (t) => {
  const { folder, ours, ca } = authority(t);
  const node = await start(t, folder, "n1", [...ours.issueFiles(folder, { name: "n1" }), "--tls", "optional"]);
  await untilTrue(async () => (await curl(ca, `https://${node.http}/readyz?for=write`)).endsWith("200"));
  const odd = [
    "GET /kv/cart/k HTTP/1.0\r\nConnection: close\r\n\r\n",
    "GET /kv/cart/k HTTP/1.1\r\n\r\n",
    "NONSENSE\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    `GET /kv/cart/${"k".repeat(5_000)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    `GET /kv/cart/k HTTP/1.1\r\nHost: x\r\nX: ${"k".repeat(70_000)}\r\nConnection: close\r\n\r\n`,
    "PUT /kv/cart/l HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\nConnection: close\r\n\r\n",
    "DELETE /kv/cart/l HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
  ];
  for (const request of odd) {
    const [host, port] = node.http.split(":");
    const plain = (): Promise<net.Socket> => Promise.resolve(net.connect(Number(port), host));
    const secured = (): Promise<net.Socket> => connected(node.http, ours.pem);
    const answers = await Promise.all([plain, secured].map((door) => answered(door, request)));
    const [without, over] = answers.map((text) => text.replace(/^(Date|Halo-Context|ETag): .*\r\n/gm, ""));
    t.match(without, /^HTTP\/1.1 \d\d\d /, request.slice(0, 20));
    t.equal(over, without, "the same");
  }
});

t.test("too many connections: those in their handshake are closed as well, and there is room again", async (t) => {
  const { folder, ours, ca } = authority(t);
  const node = await start(t, folder, "n1", [...ours.issueFiles(folder, { name: "n1" }), "--max-http-connections", "10"]);
  const [host, port] = node.http.split(":");
  let closed = 0;
  for (let count = 0; count < 20; count++) {
    const silent = net.connect(Number(port), host);
    silent.on("error", () => {}).on("close", () => closed++).resume();
    t.teardown(() => silent.destroy());
  }
  await node.process.until(/too many connections/);
  await untilTrue(() => closed === 20);
  t.notMatch(node.process.output, /no handshake in time/, "at once");
  await untilTrue(async () => (await curl(ca, `https://${node.http}/healthz`)).endsWith("200"));
});

t.test("three nodes show each other certificates; who listens in learns nothing; who is not of them stays out", async (t) => {
  const { folder, ours, ca, theirs } = authority(t);
  const secret = join(folder, "secret");
  const secretText = (await halo(["token", "secret"])).stdout;
  writeFileSync(secret, secretText);
  const ears: Ear[] = [];
  const nodes: Started[] = [];
  for (const name of ["n1", "n2", "n3"]) {
    const ear = await Ear.listen(t);
    const join = nodes.length === 0 ? [] : ["--join", ears[0].address];
    const mutual = [...ours.issueFiles(folder, { name }), "--tls-ca", ca, "--secret-file", secret];
    const node = await start(t, folder, name, [...mutual, ...join, "--advertise", ear.address]);
    ear.target = node.tcp;
    ears.push(ear);
    nodes.push(node);
  }
  const door = await Ear.listen(t);
  door.target = nodes[0].http;
  const root = join(folder, "root");
  const token = (await halo(["token", "root", "--secret-file", secret])).stdout;
  writeFileSync(root, token);
  const asRoot = ["--node", `https://${door.address}`, "--token-file", root, "--ca", ca];
  await untilTrue(async () => /n1[^]*n2[^]*n3/.test((await halo(["cluster", "status", ...asRoot])).stdout));
  await untilTrue(async () => (await halo(["put", "cart/k", "a very particular value", ...asRoot, "--w", "3"])).code === 0);
  t.match(await halo(["get", "cart/k", ...asRoot]), { code: 0, stdout: "a very particular value" });
  const heard = ears.map((ear) => ear.heard).join("") + door.heard;
  t.ok(ears.every((ear) => ear.heard.length > 1_000) && door.heard.length > 1_000, "there was something to hear");
  for (const [what, words] of [["value", "very particular"], ["token", token.trim()], ["secret", secretText.trim()], ["key", "cart"], ["gossip", "layouts"]]) {
    t.notOk(heard.includes(words), `no ${what} was heard`);
  }

  // Of another authority; and one of ours would be let in, but for the secret.
  const foreign = await start(t, folder, "n4", [...theirs.issueFiles(folder, { name: "n4" }), "--join", nodes[0].tcp, "--secret-file", secret]);
  await nodes[0].process.until(/handshake refused.*A node has to show a certificate, and it showed none/);
  t.ok(isAlive(foreign.process.pid));
  const both = join(folder, "both.pem");
  writeFileSync(both, ours.pem + theirs.pem);
  await start(t, folder, "n5", [...theirs.issueFiles(folder, { name: "n5" }), "--tls-ca", both, "--join", nodes[1].tcp, "--secret-file", secret]);
  await nodes[1].process.until(/handshake refused.*The node's certificate is refused: it is of another authority/);
  await start(t, folder, "n6", ["--join", nodes[2].tcp, "--secret-file", secret]);
  await nodes[2].process.until(/TLS handshake failed.*it speaks no TLS, which is required here/);
  const status = await halo(["cluster", "status", ...asRoot]);
  t.notMatch(status.stdout, /n4|n5|n6/);
  t.match(status.stdout, `https://${nodes[0].http}`, "nodes say how they are reached");
  for (const { process } of nodes) {
    t.notOk(process.output.includes(secretText.trim()), "the secret is not in the log");
    t.notMatch(process.output, /PRIVATE KEY/);
  }
});

t.test("certificates are replaced under load: no request fails, new connections get the new one", async (t) => {
  const { folder, ours, ca } = authority(t);
  const flags = ours.issueFiles(folder, { name: "n1" });
  const [, certPath = "", , keyPath = ""] = flags;
  const node = await start(t, folder, "n1", flags);
  const url = `https://${node.http}`;
  await untilTrue(async () => (await curl(ca, `${url}/readyz?for=write`)).endsWith("200"));
  await curl(ca, "-X", "PUT", "-d", "two books", `${url}/kv/cart/k`);
  const before = await shown(node.http, ours.pem);
  let isOver = false;
  let done = 0;
  const failures: string[] = [];
  // Those that ask again and again on one connection, and those that make one for each request.
  const loads = [true, true, false, false].map(async (keeps) => {
    let client = await connected(node.http, ours.pem);
    while (!isOver) {
      const answer = await ask(client);
      if (answer.startsWith("HTTP/1.1 200")) done++;
      else failures.push(answer);
      if (keeps) continue;
      client.destroy();
      client = await connected(node.http, ours.pem);
    }
    client.destroy();
  });
  const replaced = new Set([before]);
  for (let round = 1; round <= 5; round++) {
    const { cert, key } = ours.issue({ name: "n1" });
    writeFileSync(certPath, cert);
    writeFileSync(keyPath, key);
    node.process.kill("SIGHUP");
    await untilTrue(() => (node.process.output.match(/certificates were replaced/g) ?? []).length === round);
    replaced.add(await shown(node.http, ours.pem));
    const reached = done + 50;
    await untilTrue(() => done > reached || failures.length > 0);
  }
  isOver = true;
  await Promise.all(loads);
  t.equal(replaced.size, 6, "each was shown");
  t.same(failures, [], `${done} requests were answered`);
  ours.issueFiles(folder, { name: "n1", daysFrom: -9, daysTo: -1 });
  node.process.kill("SIGHUP");
  await node.process.until(/certificates cannot be replaced, those before stay .*whose certificate expired/);
  t.ok(replaced.has(await shown(node.http, ours.pem)), "a broken one changes nothing");
  writeFileSync(certPath, "no certificate at all");
  await node.process.until(/certificates cannot be replaced.*in which there is no certificate/);
  t.match(await curl(ca, `${url}/kv/cart/k`), "two books 200", "found by itself, and it serves on");
});

t.test("a cluster that is plain gets TLS by two rolling restarts, and serves all the while", async (t) => {
  const { folder, ours, ca } = authority(t);
  const names = ["n1", "n2", "n3"];
  const nodes: Started[] = [];
  for (const name of names) {
    nodes.push(await start(t, folder, name, nodes.length === 0 ? [] : ["--join", nodes[0].tcp]));
  }
  const https = [false, false, false];
  const urlOf = (index: number): string => `${https[index] ? "https" : "http"}://${nodes[index].http}`;
  const put = (index: number, key: string): Promise<string> => curl(ca, "-X", "PUT", "-d", key, `${urlOf(index)}/kv/cart/${key}?w=3&pw=3`);
  const all = async (round: string): Promise<void> => {
    for (const index of [0, 1, 2]) {
      await untilTrue(async () => /204$/.test(await put(index, `${round}-${index}`)));
      const read = `${urlOf((index + 1) % 3)}/kv/cart/${round}-${index}?r=3`;
      await untilTrue(async () => (await curl(ca, read)) === `${round}-${index} 200`);
    }
  };
  await all("plain");
  for (const mode of ["optional", "required"]) {
    for (const [index, name] of names.entries()) {
      nodes[index].process.kill("SIGTERM");
      await nodes[index].process.ended;
      const other = (index + 1) % 3;
      const between = `${mode}-without-${name}`;
      await untilTrue(async () => /204$/.test(await curl(ca, "-X", "PUT", "-d", between, `${urlOf(other)}/kv/cart/${between}`)));
      const { http, tcp } = nodes[index];
      const certificates = [...ours.issueFiles(folder, { name }), "--tls-ca", ca, "--tls", mode];
      nodes[index] = await start(t, folder, name, [...certificates, "--http", http, "--tcp", tcp]);
      https[index] = true;
      await all(`${mode}-${name}`);
    }
  }
  t.match(await curl(ca, `http://${nodes[0].http}/kv/cart/plain-0`), /tls-required/);
});

t.test("a node on Deno speaks the same", async (t) => {
  const { folder, ours, ca } = authority(t);
  const mutual = (name: string): string[] => [...ours.issueFiles(folder, { name }), "--tls-ca", ca];
  const n1 = await start(t, folder, "n1", mutual("n1"));
  const deno = [join(ROOT, "node_modules/.bin/deno"), "run", "-A", join(ROOT, "server/cli/main.ts")];
  const n2 = await start(t, folder, "n2", [...mutual("n2"), "--join", n1.tcp], deno);
  const put = (): Promise<string> => curl(ca, "-X", "PUT", "-d", "two books", `https://${n2.http}/kv/cart/k?w=2&pw=2`);
  await untilTrue(async () => /204$/.test(await put()));
  await untilTrue(async () => (await curl(ca, `https://${n1.http}/kv/cart/k?r=2`)) === "two books 200");
  t.match(await curl(ca, `http://${n2.http}/kv/cart/k`), /tls-required.* 400$/);
  const before = await shown(n2.http, ours.pem);
  mutual("n2");
  n2.process.kill("SIGHUP");
  await n2.process.until(/certificates were replaced/);
  t.not(await shown(n2.http, ours.pem), before, "another one");
});

function connected(address: string, ca: string): Promise<tls.TLSSocket> {
  const [host, port] = address.split(":");
  return new Promise((resolve, reject) => {
    const client = tls.connect({ host, port: Number(port), ca, allowHalfOpen: true }, () => resolve(client));
    client.on("error", reject);
  });
}

/**
 * What is answered to bytes on a connection of their own. Who answers and closes while more comes in may take its
 * answer back by that (RFC 9112, 9.6): then it is asked again.
 */
async function answered(door: () => Promise<net.Socket>, request: string): Promise<string> {
  let text = "";
  while (text === "") {
    const client = await door();
    client.on("error", () => {}).write(request);
    text = await textOf(client);
  }
  return text;
}

/** All that comes, until the other side has finished. */
function textOf(client: net.Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    client.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
    client.on("end", () => client.destroy());
    client.on("close", () => resolve(text));
  });
}

/** The fingerprint of the certificate that a new connection gets. */
async function shown(address: string, ca: string): Promise<string> {
  const client = await connected(address, ca);
  const { fingerprint256 } = client.getPeerCertificate();
  client.destroy();
  return fingerprint256;
}

/** The answer to one get, or how the connection ended. */
function ask(client: tls.TLSSocket): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const take = (chunk: Buffer): void => {
      text += chunk.toString("latin1");
      if (text.endsWith("two books")) end(text);
    };
    const ended = (): void => end(`ended after '${text}'`);
    const end = (answer: string): void => {
      client.off("data", take).off("close", ended);
      resolve(answer);
    };
    client.on("data", take).on("close", ended);
    client.write("GET /kv/cart/k HTTP/1.1\r\nHost: halo\r\n\r\n");
  });
}
