/**
 * What TLS knows of the two ends of a connection, for the handshake above it: which certificate the
 * listener showed, and whether the other side may be a node.
 *
 * A node's certificate has to come from a trusted authority, for a client and for a server alike. Its
 * names are compared with one that all nodes share (`peerName`), or not at all: nodes are reached by
 * addresses, which change and which no certificate tells.
 */

import tls from "node:tls";
import type { Channel } from "./network.ts";
import { explain } from "./tcp-network.ts";
import type { Tls } from "./tls.ts";

/** The channel of a stream whose handshake is done. @param shown fingerprint of the listener's certificate */
export function channelOf(stream: tls.TLSSocket, shown: Uint8Array, owner: Tls): Channel {
  return { binding: shown, refusal: owner.isMutual ? refusalOf(stream, owner.config.peerName) : "" };
}

/** Why who is there is no node: one sentence, or "". */
function refusalOf(stream: tls.TLSSocket, peerName: string): string {
  const certificate = stream.getPeerCertificate();
  // Bun has undefined where Node has an empty object.
  if (certificate?.raw === undefined) return "A node has to show a certificate, and it showed none";
  if (!stream.authorized) return `The node's certificate is refused: ${explainTls(stream.authorizationError)}`;
  const problem = peerName === "" ? undefined : tls.checkServerIdentity(peerName, certificate);
  return problem === undefined ? "" : `The node's certificate is refused: it is not made out to ${peerName}`;
}

const KNOWN: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "it is of another authority than --tls-ca",
  UNABLE_TO_GET_ISSUER_CERT: "it is of another authority than --tls-ca",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "it is of another authority than --tls-ca",
  SELF_SIGNED_CERT_IN_CHAIN: "it is of another authority than --tls-ca",
  DEPTH_ZERO_SELF_SIGNED_CERT: "it is of another authority than --tls-ca",
  CERT_SIGNATURE_FAILURE: "it is of another authority than --tls-ca",
  CERT_HAS_EXPIRED: "it has expired",
  CERT_NOT_YET_VALID: "it is not valid yet",
  INVALID_PURPOSE: "it is not for both sides, want clientAuth and serverAuth in its extended key usage",
};

/** What the runtime says of a certificate or a handshake, in the operator's words. */
export function explainTls(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
  const words = KNOWN[code];
  if (words !== undefined) return `${words} (${code})`;
  if (/UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION|WRONG_VERSION/.test(code)) return `no version of TLS that both speak (${code})`;
  return error instanceof Error ? explain(error) : code;
}

/** Whether a handshake that was begun here failed because of the certificate that was shown. */
export function isCertificateError(error: unknown): boolean {
  return error instanceof Error && "code" in error && String(error.code) in KNOWN;
}
