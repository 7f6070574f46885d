/**
 * The files of TLS, read and judged: a certificate (with those between it and its authority, if there
 * are any), its key, and the authorities whose nodes are trusted. PEM, all of them.
 *
 * What would not work is said in one sentence that names the file, before anything uses it: a runtime
 * would say it later, in its own words, or (Deno) not at all. Nothing of a key gets into a sentence.
 */

import { createHash, createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";

/** A file, and what to call it in a sentence: "--tls-cert", "HALO_TLS_CERT". */
export interface NamedFile {
  readonly place: string;
  readonly path: string;
}

export interface TlsFiles {
  readonly certificate: NamedFile;
  readonly key: NamedFile;
  /** Whose certificates nodes are; null: nodes are not told by certificates. */
  readonly authorities: NamedFile | null;
}

/** The texts of the files, as they were at one moment. */
export interface TlsTexts {
  readonly certificate: string;
  readonly key: string;
  readonly authorities: string | null;
}

/** What is good to use. */
export interface Certificates {
  readonly texts: TlsTexts;
  /** SHA-256 of the certificate: what a secret's proof is bound to. */
  readonly fingerprint: Uint8Array;
  /** When the first one of the chain, or its authority, expires, and in which file that one is. */
  readonly expiresMs: number;
  readonly expiresIn: string;
}

/** Files that cannot be used; the message is one sentence. */
export class CertificateError extends Error {}

/** @throws CertificateError */
export function readTlsTexts({ certificate, key, authorities }: TlsFiles): TlsTexts {
  return {
    certificate: readText(certificate),
    key: readText(key),
    authorities: authorities === null ? null : readText(authorities),
  };
}

export function isSameTexts(left: TlsTexts, right: TlsTexts): boolean {
  return left.certificate === right.certificate && left.key === right.key &&
    left.authorities === right.authorities;
}

/** Whether texts are good to use at this moment. @throws CertificateError */
export function judgeTlsTexts(files: TlsFiles, texts: TlsTexts, nowMs: number): Certificates {
  const chain = readChain(files.certificate, texts.certificate);
  const [own] = chain;
  const key = readKey(files.key, texts.key);
  if (!own.checkPrivateKey(key)) {
    const wanted = `want the one of the certificate in ${files.certificate.path}`;
    throw wrong(files.key, `whose key is that of another certificate, ${wanted}`);
  }
  for (const one of chain) checkTime(files.certificate, one, nowMs);
  const fingerprint = new Uint8Array(createHash("sha256").update(own.raw).digest());
  const expiresMs = Math.min(...chain.map(expiryOf));
  const alone = { texts, fingerprint, expiresMs, expiresIn: files.certificate.path };
  if (files.authorities === null) return alone;
  const issuers = issuersOf(files, chain, judgeAuthorities(files.authorities, texts.authorities ?? "", nowMs));
  const trustedMs = Math.max(...issuers.map(expiryOf));
  return trustedMs < expiresMs ? { ...alone, expiresMs: trustedMs, expiresIn: files.authorities.path } : alone;
}

function expiryOf({ validTo }: X509Certificate): number {
  return Date.parse(validTo);
}

/** @throws CertificateError */
export function readText(file: NamedFile): string {
  try {
    return readFileSync(file.path, "utf8");
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw wrong(file, `which cannot be read: ${reason}`);
  }
}

/** The authorities in a text that are good at this moment; old ones may stand beside them. @throws CertificateError */
export function judgeAuthorities(file: NamedFile, text: string, nowMs: number): X509Certificate[] {
  const all = readChain(file, text);
  const good = all.filter((one) => Date.parse(one.validFrom) <= nowMs && nowMs < expiryOf(one));
  if (good.length === 0) checkTime(file, all[0], nowMs);
  return good;
}

type Chain = [X509Certificate, ...X509Certificate[]];

function readChain(file: NamedFile, text: string): Chain {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g) ?? [];
  const [first, ...others] = blocks.map((block) => {
    try {
      return new X509Certificate(block);
    } catch {
      throw wrong(file, "in which a certificate cannot be read, want PEM as openssl writes it");
    }
  });
  if (first !== undefined) return [first, ...others];
  throw wrong(file, "in which there is no certificate, want PEM: -----BEGIN CERTIFICATE-----");
}

function readKey(file: NamedFile, text: string): KeyObject {
  const isEncrypted = /ENCRYPTED/.test(text);
  if (isEncrypted) throw wrong(file, "whose key is encrypted, want one without a passphrase");
  const [block] = text.match(/-----BEGIN ([A-Z]+ )?PRIVATE KEY-----[^]*?-----END \1?PRIVATE KEY-----/) ?? [];
  if (block === undefined) {
    throw wrong(file, "in which there is no private key, want PEM: -----BEGIN PRIVATE KEY-----");
  }
  try {
    return createPrivateKey(block);
  } catch {
    throw wrong(file, "in which the private key cannot be read, want PEM as openssl writes it");
  }
}

function checkTime(file: NamedFile, certificate: X509Certificate, nowMs: number): void {
  const fromMs = Date.parse(certificate.validFrom);
  const toMs = expiryOf(certificate);
  if (toMs <= nowMs) throw wrong(file, `whose certificate expired on ${asTime(toMs)}, want one that is valid now`);
  if (fromMs > nowMs) throw wrong(file, `whose certificate is valid from ${asTime(fromMs)} on, want one that is valid now`);
}

/** Those of the trusted that signed the chain; without one, other nodes would turn this one away. */
function issuersOf({ certificate, authorities }: TlsFiles, chain: Chain, trusted: X509Certificate[]): X509Certificate[] {
  const issuers = trusted.filter((authority) => {
    return chain.some((one) => one.checkIssued(authority) && one.verify(authority.publicKey));
  });
  if (issuers.length > 0) return issuers;
  const wanted = `want one of an authority in ${authorities?.path ?? ""}`;
  throw wrong(certificate, `whose certificate is of another authority, ${wanted}`);
}

function asTime(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace("T", " ");
}

function wrong({ place, path }: NamedFile, what: string): CertificateError {
  return new CertificateError(`${place} is '${path}', ${what}`);
}
