/**
 * The load generator against small servers of its own: what it counts, that it ends, and that its
 * open loop sees a pause in all the requests that the pause delayed (coordinated omission).
 */

import { createServer, type Server, type Socket } from "node:net";
import t from "tap";
import { fillKeys } from "../../../bench/load/fill.ts";
import { runLoad } from "../../../bench/load/generator.ts";
import { httpExchange } from "../../../bench/load/http-exchange.ts";

const OK = "HTTP/1.1 204 No Content\r\n\r\n";
const BUSY = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy";
const exchange = httpExchange({ path: "/kv/b/", putQuery: "", isValueChecked: false });
const load = { exchange, keys: 50, putShare: 1, warmUpMs: 20, measuredMs: 200, rate: 0 };

/** A server that does this with each request, which comes in one piece. */
async function serve(answer: (socket: Socket, text: string) => void): Promise<[Server, number]> {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.on("data", (bytes) => answer(socket, bytes.toString()));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const address = server.address();
  return [server, typeof address === "object" && address !== null ? address.port : 0];
}

t.test("runLoad() counts the wanted answers and spreads its connections", async (t) => {
  const counts = [0, 0];
  const [first, firstPort] = await serve((socket) => void (counts[0]++, socket.write(OK)));
  const [second, secondPort] = await serve((socket) => void (counts[1]++, socket.write(OK)));
  const result = await runLoad({ ...load, ports: [firstPort, secondPort], connections: 4 });
  t.ok(result.answered > 0 && result.answered <= counts[0] + counts[1]);
  t.ok(counts[0] > 0 && counts[1] > 0);
  t.equal(result.failed, 0);
  t.equal(result.complaint, "");
  t.equal(result.latency.count, result.answered);
  t.equal(result.perSecond, result.answered / 0.2);
  first.close();
  second.close();
});

t.test("runLoad() counts refusals and cut connections as failed and goes on", async (t) => {
  let requests = 0;
  const [server, port] = await serve((socket) => {
    requests++;
    if (requests % 3 === 0) socket.destroy();
    else socket.write(requests % 3 === 1 ? OK : BUSY);
  });
  const result = await runLoad({ ...load, ports: [port], connections: 2, measuredMs: 500 });
  t.ok(result.answered > 0);
  t.ok(result.failed > 0);
  t.match(result.complaint, /503 Service Unavailable busy/);
  server.close();
});

t.test("runLoad() ends where nothing is answered, and where nobody listens", async (t) => {
  const [server, port] = await serve(() => {});
  const options = { ...load, warmUpMs: 0, ports: [port], connections: 3 };
  const silent = await runLoad({ ...options, rate: 100 });
  t.equal(silent.answered, 0);
  t.equal(silent.failed, 20, "also what was due and never sent");
  t.match(silent.complaint, /never answered/);
  await new Promise((closed) => server.close(closed));
  const nobody = await runLoad(options);
  t.equal(nobody.answered + nobody.failed, 0);
  t.match(nobody.complaint, /REFUSED|onnect/);
});

t.test("an open loop sends what a pause delayed and counts from when it was due", async (t) => {
  let isFirst = true;
  const [server, port] = await serve((socket) => {
    if (isFirst) setTimeout(() => socket.write(OK), 300);
    else socket.write(OK);
    isFirst = false;
  });
  const options = { ...load, warmUpMs: 0, measuredMs: 500, rate: 200, ports: [port] };
  const result = await runLoad({ ...options, connections: 1 });
  t.equal(result.answered, 100, "every request that was due");
  t.ok(result.latency.quantileMs(0.7) >= 100, "the pause delayed more than half of them");
  server.close();
});

t.test("fillKeys() writes every key once more than it is refused", async (t) => {
  const written = new Map<string, number>();
  let requests = 0;
  const [server, port] = await serve((socket, text) => {
    const key = text.slice(text.indexOf("key"), text.indexOf(" HTTP"));
    if (++requests % 5 === 0) return void socket.write(BUSY);
    if (requests % 7 === 0) return void socket.destroy();
    written.set(key, (written.get(key) ?? 0) + 1);
    socket.write(OK);
  });
  await fillKeys({ ports: [port], connections: 3, exchange, keys: 50, timeoutMs: 10_000 });
  t.equal(written.size, 50);
  t.ok([...written.values()].every((times) => times === 1));
  server.close();
});

t.test("fillKeys() says what was answered when it cannot", async (t) => {
  const [server, port] = await serve((socket) => void socket.write(BUSY));
  const options = { ports: [port], connections: 1, exchange, keys: 5, timeoutMs: 200 };
  await t.rejects(fillKeys(options), { message: /wrote 0 of 5 keys: .*503/ });
  server.close();
});
