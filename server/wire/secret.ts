/**
 * The secret of a cluster, and how two nodes prove to each other that they have it, without saying it.
 *
 *   dialler                                    listener
 *     HELLO {…, nonce D} ──►
 *     ◄── challenge {…, nonce L, proof}          HMAC(secret, "listener", what both said, D, L)
 *     HELLO {…, nonce D, proof} ──►              HMAC(secret, "dialler", the same)
 *     ◄── welcome
 *
 * Each proof covers both nonces, which are drawn for the connection, so it is worth nothing on another
 * one; and the side, so that it cannot be sent back. It covers what both said of themselves, so nobody
 * between them changes a name. Over TLS it covers the certificate that the listener showed: whoever
 * stands between them has to show another one, and cannot hand the proofs through. HMAC-SHA-256 (RFC 2104).
 */

import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { encodeMessage } from "./messages.ts";

export const NONCE_BYTES = 16;
export const PROOF_BYTES = 32;
/** A shorter secret could be found by trying. */
export const SECRET_BYTES_MIN = 16;

export type Side = "dialler" | "listener";

/** What a side has said of itself. */
export interface Said {
  readonly protocol: number;
  readonly clusterId: string | null;
  readonly nodeId: string | null;
  readonly name: string;
  readonly role: string;
  readonly nonce: Uint8Array;
}

/** What a side proves with. REQUIRES: both have their nonce. @param binding of the channel; empty: no TLS */
export function proofOf(
  secret: Uint8Array,
  side: Side,
  dialler: Said,
  listener: Said,
  binding: Uint8Array,
): Uint8Array {
  const said = ({ protocol, clusterId, nodeId, name, nonce }: Said): unknown[] => {
    return [protocol, clusterId, nodeId, name, nonce];
  };
  const transcript = ["halo", side, dialler.role, said(dialler), said(listener)];
  const bound = binding.length === 0 ? transcript : [...transcript, binding];
  return hmac(sha256, secret, encodeMessage(bound));
}

/** Whether two byte strings are equal, in a time that tells only their length. */
export function isEqualInConstantTime(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  let difference = 0;
  for (let index = 0; index < left.length; index++) difference |= left[index] ^ right[index];
  return difference === 0;
}
