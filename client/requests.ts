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
  stop(): void;
}

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

  /** Resolves with what was asked for, or rejects with a HaloError, whose stack begins where it was asked for. */
  async ask<Value>(question: Question<Value>): Promise<Value> {
    if (this.#isClosed) throw refusal("closed", "The client is closed");
    try {
      return await this.#begin(question);
    } catch (error) {
      throw error instanceof HaloError ? error.again() : error;
    }
  }

  #begin<Value>(question: Question<Value>): Promise<Value> {
    return new Promise<Value>((resolve, reject) => {
      let isStarted = false;
      const ended = (): void => {
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
      const begin = (): void => {
        isStarted = true;
        attempts.start();
      };
      this.#admit({ get isDone() { return attempts.isDone; }, start: begin, stop: () => attempts.stop() });
    });
  }

  close(): void {
    this.#isClosed = true;
    for (const one of [...this.#all]) one.stop();
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
