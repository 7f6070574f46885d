/** The files of TLS, judged: what is good is taken, everything else is one sentence that names the file. */

import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { CertificateError, judgeTlsTexts, readTlsTexts, type TlsFiles, type TlsTexts } from "../../../server/ports/certificates.ts";
import { Authority } from "../../certificates.ts";
import type { Case, Check } from "../../suite.ts";

const CERTIFICATE = { place: "--tls-cert", path: "node.pem" };
const KEY = { place: "HALO_TLS_KEY", path: "node.key" };
const AUTHORITIES = { place: "--tls-ca", path: "ca.pem" };
const FILES: TlsFiles = { certificate: CERTIFICATE, key: KEY, authorities: AUTHORITIES };

const ours = new Authority("ours");
const theirs = new Authority("theirs");
const good = ours.issue({ name: "n1" });

function texts(more: Partial<TlsTexts> = {}): TlsTexts {
  return { certificate: good.cert, key: good.key, authorities: ours.pem, ...more };
}

function refusal(given: TlsTexts): string {
  try {
    judgeTlsTexts(FILES, given, Date.now());
    return "";
  } catch (error) {
    if (error instanceof CertificateError) return error.message;
    throw error;
  }
}

function checkRefused(check: Check, given: TlsTexts, sentence: RegExp): void {
  const said = refusal(given);
  check.ok(sentence.test(said), `${sentence}: ${said}`);
  check.ok(!said.includes("PRIVATE KEY-----\n"), "nothing of a key is said");
}

export const suite: Case[] = [
  {
    name: "a certificate, its key and its authority are taken, with when it expires and who it is",
    run(check) {
      const taken = judgeTlsTexts(FILES, texts(), Date.now());
      check.equal(taken.fingerprint.length, 32, "SHA-256");
      check.ok(Math.abs(taken.expiresMs - Date.now() - 10 * 86_400_000) < 60_000, "in ten days");
      const other = judgeTlsTexts(FILES, texts({ ...textsOf(ours.issue({ name: "n1" })) }), Date.now());
      check.ok(String(other.fingerprint) !== String(taken.fingerprint), "another certificate, another print");
      check.equal(refusal(texts({ authorities: theirs.pem + ours.pem })), "", "one authority of several");
      check.equal(refusal(texts({ certificate: good.cert + ours.pem })), "", "a chain");
      const old = new Authority("old", -1);
      check.equal(refusal(texts({ authorities: old.pem + ours.pem })), "", "an old authority beside it");
      checkRefused(check, texts({ authorities: old.pem }), /^--tls-ca is 'ca.pem', whose certificate expired on/);
      const alone = judgeTlsTexts({ ...FILES, authorities: null }, texts({ authorities: null }), Date.now());
      check.equal(alone.fingerprint.length, 32, "no authority is needed");
    },
  },
  {
    name: "the chain is good for as long as its shortest",
    run(check) {
      const short = ours.issue({ name: "between", daysTo: 3 });
      const taken = judgeTlsTexts(FILES, texts({ certificate: good.cert + short.cert }), Date.now());
      check.ok(taken.expiresMs < Date.now() + 4 * 86_400_000, "three days");
      check.equal(taken.expiresIn, "node.pem", "in that file");
      const leaving = new Authority("leaving", 2);
      const issued = leaving.issue({ name: "n1" });
      const last = judgeTlsTexts(FILES, texts({ ...textsOf(issued), authorities: leaving.pem + ours.pem }), Date.now());
      check.ok(last.expiresMs < Date.now() + 3 * 86_400_000, "its authority goes first");
      check.equal(last.expiresIn, "ca.pem", "in that file");
    },
  },
  {
    name: "what would not work is refused",
    run(check) {
      const other = ours.issue({ name: "n2" });
      checkRefused(check, texts({ key: other.key }), /^HALO_TLS_KEY is 'node.key', whose key is that of another certificate, want the one of the certificate in node.pem$/);
      checkRefused(check, texts({ certificate: good.key }), /^--tls-cert is 'node.pem', in which there is no certificate/);
      checkRefused(check, texts({ certificate: "" }), /in which there is no certificate/);
      checkRefused(check, texts({ certificate: good.cert.replace(/^M.{20}/m, "AAAA") }), /a certificate cannot be read/);
      checkRefused(check, texts({ key: good.cert }), /in which there is no private key/);
      const header = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
      checkRefused(check, texts({ key: header }), /in which the private key cannot be read/);
      checkRefused(check, texts({ authorities: "nothing" }), /^--tls-ca is 'ca.pem', in which there is no certificate/);
      checkRefused(check, texts({ authorities: theirs.pem }), /^--tls-cert is 'node.pem', whose certificate is of another authority, want one of an authority in ca.pem$/);
      const impostor = new Authority("ours");
      checkRefused(check, texts({ authorities: impostor.pem }), /of another authority/);
    },
  },
  {
    name: "a certificate out of its time is refused, with the time",
    run(check) {
      const expired = ours.issue({ name: "n1", daysFrom: -9, daysTo: -1 });
      checkRefused(check, texts(textsOf(expired)), /whose certificate expired on 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d, want one that is valid now$/);
      const early = ours.issue({ name: "n1", daysFrom: 1, daysTo: 9 });
      checkRefused(check, texts(textsOf(early)), /whose certificate is valid from 20.* on, want one that is valid now$/);
    },
  },
  {
    name: "an encrypted key is refused; keys of every usual kind are taken",
    run(check) {
      const key = createPrivateKey(good.key);
      const encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
      checkRefused(check, texts({ key: encrypted }), /whose key is encrypted, want one without a passphrase/);
      const older = key.export({ type: "sec1", format: "pem" }).toString();
      check.equal(refusal(texts({ key: older })), "", "SEC1");
      const parameters = `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${older}`;
      check.equal(refusal(texts({ key: parameters })), "", "as openssl ecparam writes it");
      const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
      const pem = rsa.export({ type: "pkcs1", format: "pem" }).toString();
      checkRefused(check, texts({ key: pem }), /that of another certificate/);
    },
  },
  {
    name: "a file that cannot be read is named",
    run(check) {
      try {
        readTlsTexts({ ...FILES, certificate: { place: "--tls-cert", path: "/nowhere/node.pem" } });
        check.ok(false, "it was read");
      } catch (error) {
        const said = error instanceof CertificateError ? error.message : String(error);
        check.ok(/^--tls-cert is '\/nowhere\/node.pem', which cannot be read: .*ENOENT/.test(said), said);
      }
    },
  },
];

function textsOf({ cert, key }: { cert: string; key: string }): { certificate: string; key: string } {
  return { certificate: cert, key };
}
