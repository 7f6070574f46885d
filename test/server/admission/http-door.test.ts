/** The door for HTTP: both sides of its limit, who is let go, what the operator hears, how it ends. */

import t from "tap";
import { DOOR_CHECK_MS, HttpDoor } from "../../../server/admission/http-door.ts";
import type { HttpServer } from "../../../server/ports/http-server.ts";
import { SimulatedClock, World } from "../../simulation/clock.ts";

const MAX = 80;
const AGAIN = 70;
const LONG_MS = 1_001;

class Listening implements HttpServer {
  readonly address = "127.0.0.1:7070";
  /** Milliseconds that it was given to end in, each time it was stopped. */
  readonly graces: number[] = [];
  readonly #ends: (() => void)[] = [];

  stop(graceMs: number, done: () => void): void {
    this.graces.push(graceMs);
    this.#ends.push(done);
  }

  /** Its last request has ended. */
  end(): void {
    for (const done of this.#ends.splice(0)) done();
  }
}

class Bed {
  readonly world = new World();
  readonly servers: Listening[] = [];
  readonly asked: string[] = [];
  readonly told: string[] = [];
  connections = 0;
  /** Why nobody can listen; "": they can. */
  problem = "";
  readonly door: HttpDoor;

  constructor() {
    const tell = (event: string): void => void this.told.push(event);
    this.door = new HttpDoor(
      {
        clock: new SimulatedClock(this.world, "node"),
        log: { info: tell, warn: tell, error: tell },
        listen: (address, done) => {
          this.asked.push(address);
          if (this.problem !== "") return done(null, this.problem);
          const server = new Listening();
          this.servers.push(server);
          return done(server, "");
        },
      },
      MAX,
      () => this.connections,
    );
  }

  /** Whether the door is shut when it has been looked at with so many connections. */
  isShutAt(connections: number): boolean {
    this.connections = connections;
    this.world.run(LONG_MS);
    return this.door.isShut;
  }
}

function opened(): Bed {
  const bed = new Bed();
  bed.door.open("127.0.0.1:0", () => undefined);
  return bed;
}

t.test("it is shut beyond the limit and opened again an eighth below it", (tt) => {
  const bed = opened();
  tt.equal(bed.isShutAt(MAX), false, "as many as may be");
  tt.equal(bed.isShutAt(MAX + 1), true, "one more");
  tt.ok(bed.servers[0].graces[0] > 60_000, "requests under way may end");
  tt.equal(bed.isShutAt(AGAIN + 1), true, "still too many");
  tt.equal(bed.isShutAt(AGAIN), false, "room again");
  tt.same(bed.asked, ["127.0.0.1:0", "127.0.0.1:7070"], "at the same place");
  tt.equal(bed.isShutAt(MAX), false, "and as before");
  tt.end();
});

t.test("near the limit it looks ten times a second", (tt) => {
  const bed = opened();
  bed.isShutAt(MAX / 2 + 1);
  bed.connections = MAX + 1;
  bed.world.run(DOOR_CHECK_MS + 1);
  tt.equal(bed.door.isShut, true, "shut within that time");
  bed.connections = 0;
  bed.world.run(DOOR_CHECK_MS + 1);
  tt.equal(bed.door.isShut, false, "and opened");
  tt.end();
});

t.test("a flood does not flood the log", (tt) => {
  const bed = opened();
  for (let second = 0; second < 9; second++) bed.isShutAt(second % 2 === 0 ? MAX + 1 : 0);
  tt.equal(bed.door.shutCount, 5, "shut each time");
  tt.equal(bed.told.length, 1, "told once");
  for (let second = 0; second < 4; second++) bed.isShutAt(second % 2 === 0 ? MAX + 1 : 0);
  tt.equal(bed.told.length, 2, "and again after a while");
  tt.end();
});

t.test("a place that is taken meanwhile is tried again", (tt) => {
  const bed = opened();
  bed.isShutAt(MAX + 1);
  bed.problem = "another process listens there";
  tt.equal(bed.isShutAt(0), true, "nothing to be done");
  bed.problem = "";
  tt.equal(bed.isShutAt(0), false, "as soon as it is free");
  tt.end();
});

t.test("it ends when all requests have, also those of before it was shut", (tt) => {
  const bed = opened();
  bed.isShutAt(MAX + 1);
  bed.isShutAt(0);
  let isDone = false;
  bed.door.stop(6_000, () => {
    isDone = true;
  });
  tt.same(bed.servers.map((server) => server.graces.at(-1)), [6_000, 6_000], "both in this time");
  bed.servers[1].end();
  tt.equal(isDone, false, "one is left");
  bed.servers[0].end();
  tt.equal(isDone, true, "none is");
  bed.connections = 0;
  bed.world.run(10_000);
  tt.equal(bed.servers.length, 2, "nobody listens any more");
  const shut = opened();
  shut.isShutAt(MAX + 1);
  shut.servers[0].end();
  shut.door.stop(1, () => {
    isDone = false;
  });
  tt.equal(isDone, false, "a shut door without requests is at its end at once");
  tt.end();
});

t.test("a place where nobody can listen is told", (tt) => {
  const bed = new Bed();
  bed.problem = "that needs more rights";
  bed.door.open("127.0.0.1:80", (error) => {
    tt.equal(error, "that needs more rights");
    tt.end();
  });
});
