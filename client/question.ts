/** What a request asks of the cluster, and what an answer to it comes to. */

import type { FrameView } from "../core/frame.ts";
import type { RemoteNode } from "./remote-node.ts";
import type { Routes } from "./routes.ts";

/** What one node's answer comes to. */
export type Verdict<Value> =
  | { readonly kind: "done"; readonly value: Value }
  | {
    readonly kind: "refused" | "unknown";
    readonly code: string;
    readonly detail: string;
    readonly context: string;
    /** When another try has a chance; 0: nothing is known of that. */
    readonly retryAfterMs: number;
  };

export interface Question<Value> {
  readonly kind: number;
  readonly timeoutMs: number;
  /** Whether it may have changed something where it is not answered. */
  readonly isWrite: boolean;
  /** Whether a second node may be asked while the first has not answered. */
  readonly mayRace: boolean;
  /** The code of no answer in time. */
  readonly lateCode: "write-unknown" | "read-timeout";
  /** Whom to ask, best first. */
  route(routes: Routes): RemoteNode[];
  /** Bytes of the body. */
  length(): number;
  /** @param timeoutMs how long the node has for it */
  write(target: Uint8Array, offset: number, timeoutMs: number): void;
  /** Judges an answer; reads the view before it returns. @throws HaloError where the application cannot read it */
  judge(frame: FrameView): Verdict<Value>;
}
