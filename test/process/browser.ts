/**
 * A browser for tests: Chromium without a window, told what to do through two pipes (the DevTools protocol, a
 * message of JSON up to each NUL). Gone when the test is over.
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import type { Readable, Writable } from "node:stream";

/** What a test needs of tap: something that is done when it is over. */
interface Test {
  teardown(callback: () => void | Promise<void>): void;
}

const PROGRAMS = ["chromium", "chromium-browser", "google-chrome"];
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"];

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** The browser that is installed here; "" where there is none. */
export function findBrowser(): string {
  return PROGRAMS.find((program) => spawnSync(program, ["--version"]).status === 0) ?? "";
}

/** One page of a browser. */
export class Page {
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, (message: Message) => void>();
  #lastId = 0;
  #session = "";
  /** The first argument of each console.log of the page, in order. */
  readonly logged: string[] = [];

  private constructor(test: Test, program: string, profile: string) {
    const given = [...FLAGS, `--user-data-dir=${profile}`, "--remote-debugging-pipe", "about:blank"];
    this.#child = spawn(program, given, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    const closed = new Promise<void>((resolve) => this.#child.once("close", () => resolve()));
    test.teardown(async () => {
      this.#child.kill("SIGKILL");
      await closed;
    });
    let text = "";
    (this.#child.stdio[4] as Readable).on("data", (chunk: Buffer) => {
      const messages = (text + chunk.toString()).split("\0");
      text = messages.pop() ?? "";
      for (const message of messages) this.#take(JSON.parse(message) as Message);
    });
  }

  /** A page that shows `url`. @param profile an empty folder */
  static async open(test: Test, program: string, profile: string, url: string): Promise<Page> {
    const page = new Page(test, program, profile);
    const { targetId } = await page.#order("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await page.#order("Target.attachToTarget", { targetId, flatten: true });
    page.#session = String(sessionId);
    await page.#order("Runtime.enable", {});
    const { errorText } = await page.#order("Page.navigate", { url });
    if (errorText !== undefined) throw new Error(`${url}: ${String(errorText)}`);
    return page;
  }

  /** Runs a script as if typed into the page's console, awaits at its top and all. */
  async run(script: string): Promise<void> {
    const options = { expression: script, replMode: true, awaitPromise: true };
    const { exceptionDetails } = await this.#order("Runtime.evaluate", options);
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
  }

  #order(method: string, params: object): Promise<Record<string, unknown>> {
    const id = ++this.#lastId;
    const session = this.#session === "" ? {} : { sessionId: this.#session };
    (this.#child.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, ...session })}\0`);
    return new Promise((resolve, reject) => {
      this.#pending.set(id, ({ result, error }) => {
        if (error === undefined) resolve(result ?? {});
        else reject(new Error(`${method}: ${error.message}`));
      });
    });
  }

  #take(message: Message): void {
    if (message.method === "Runtime.consoleAPICalled") {
      const [first] = message.params?.["args"] as { value?: unknown }[];
      this.logged.push(String(first?.value));
    }
    if (message.id === undefined) return;
    this.#pending.get(message.id)?.(message);
    this.#pending.delete(message.id);
  }
}
