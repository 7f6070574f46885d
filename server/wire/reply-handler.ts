/**
 * Who waits for the answer to a request. Hot code implements it once and tells requests apart by
 * tag.
 */

import type { FrameView } from "../../core/frame.ts";

/**
 * Why a request has no answer:
 *   unreachable  it was never sent: the link could not be made
 *   closed       it may have been sent; the connection broke
 *   timeout      it may have been sent; no answer came in time
 */
export type FailureReason = "unreachable" | "closed" | "timeout";

/** Exactly one of the two is called, once per accepted request, never before `request` returned. */
export interface ReplyHandler {
  /** An answer, of whatever status; the view is valid until this returns. */
  replied(tag: number, frame: FrameView): void;
  failed(tag: number, reason: FailureReason): void;
}
