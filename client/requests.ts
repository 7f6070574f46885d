/**
 * The requests of one client: so many under way at once, the others in the order in which they came. Their deadlines
 * run from when they came.
 */

import { Attempts } from "./attempts.ts";
import { HaloError, refusal } from "./halo-error.ts";
import type { Question } from "./question.ts";
import type { Runtime } from "./runtime.ts";
import type { Routes } from "./routes.ts";

/** What is asked for later. */
interface Waiting {
  readonly isDone: boolean;
  start(): void;
  stop(code: string, detail: string): void;
}

const CLOSED = "The client was closed";
const ABORTED = "The caller has aborted it";

export class Requests {
  readonly runtime: Runtime;
  readonly #routes: Routes;
  readonly #mostAtOnce: number;
  readonly #all = new Set<Waiting>();
  #queue: Waiting[] = [];
  #queueHead = 0;
  #underWay = 0;
  #isClosed = false;

  constructor(runtime: Runtime, routes: Routes, mostAtOnce: number) {
    this.runtime = runtime;
    this.#routes = routes;
    this.#mostAtOnce = mostAtOnce;
  }

  /**
   * Resolves with what was asked for, or rejects with a HaloError, whose stack begins where it was asked for.
   * @param signal ends it early, with the code "aborted" where nothing can have been written
   */
  async ask<Value>(question: Question<Value>, signal: AbortSignal | undefined): Promise<Value> {
    if (this.#isClosed) throw refusal("closed", "The client is closed");
    if (signal?.aborted === true) throw refusal("aborted", ABORTED);
    try {
      return await this.#begin(question, signal);
    } catch (error) {
      throw error instanceof HaloError ? error.again() : error;
    }
  }

  #begin<Value>(question: Question<Value>, signal: AbortSignal | undefined): Promise<Value> {
    return new Promise<Value>((resolve, reject) => {
      let isStarted = false;
      const abort = (): void => attempts.stop("aborted", ABORTED);
      const ended = (): void => {
        signal?.removeEventListener("abort", abort);
        this.#all.delete(attempts);
        if (isStarted) this.#release();
      };
      const attempts = new Attempts<Value>(
        this.runtime,
        this.#routes,
        question,
        (value) => {
          ended();
          resolve(value);
        },
        (error) => {
          ended();
          reject(error);
        },
      );
      this.#all.add(attempts);
      signal?.addEventListener("abort", abort);
      const begin = (): void => {
        isStarted = true;
        // The place of another one that the same signal ends: nothing of this one shall be sent.
        if (signal?.aborted === true) abort();
        else attempts.start();
      };
      this.#admit({ get isDone() { return attempts.isDone; }, start: begin, stop: () => attempts.stop("closed", CLOSED) });
    });
  }

  close(): void {
    this.#isClosed = true;
    for (const one of [...this.#all]) one.stop("closed", CLOSED);
  }

  #admit(waiting: Waiting): void {
    if (this.#underWay >= this.#mostAtOnce) {
      this.#queue.push(waiting);
      return;
    }
    this.#underWay++;
    waiting.start();
  }

  #release(): void {
    this.#underWay--;
    while (this.#queueHead < this.#queue.length && this.#underWay < this.#mostAtOnce) {
      const next = this.#queue[this.#queueHead++];
      if (this.#queueHead === this.#queue.length) {
        this.#queue = [];
        this.#queueHead = 0;
      }
      if (next.isDone) continue;
      this.#underWay++;
      next.start();
    }
  }
}
