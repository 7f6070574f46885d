/**
 * Certificates for tests, made here (X.509 in DER, RFC 5280; ECDSA on P-256): authorities, and what they
 * sign, valid for as long as a test wants, for whom it wants. No program of the machine is needed.
 */

import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const DAY_MS = 86_400_000;

export interface Wanted {
  /** Whose certificate it is. */
  readonly name: string;
  readonly daysFrom?: number;
  readonly daysTo?: number;
  /** Of the extended key usage; default: none, which allows all. */
  readonly usages?: readonly ("serverAuth" | "clientAuth")[];
}

/** An authority and what it signs. */
export class Authority {
  readonly pem: string;
  readonly #name: string;
  readonly #key: KeyObject;

  constructor(name: string, daysTo = 30) {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.#name = name;
    this.#key = privateKey;
    this.pem = certificate(publicKey, privateKey, name, { name, daysFrom: -30, daysTo }, true);
  }

  issue(wanted: Wanted): { readonly cert: string; readonly key: string } {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    return { cert: certificate(publicKey, this.#key, this.#name, wanted, false), key };
  }

  /** The same, as files NAME.pem and NAME.key; and the flags that name them. */
  issueFiles(folder: string, wanted: Wanted): string[] {
    const { cert, key } = this.issue(wanted);
    const [certPath, keyPath] = [join(folder, `${wanted.name}.pem`), join(folder, `${wanted.name}.key`)];
    writeFileSync(keyPath, key);
    writeFileSync(certPath, cert);
    return ["--tls-cert", certPath, "--tls-key", keyPath];
  }
}

function certificate(
  subject: KeyObject,
  signer: KeyObject,
  issuer: string,
  { name, daysFrom = -1, daysTo = 10, usages = [] }: Wanted,
  isAuthority: boolean,
): string {
  const algorithm = sequence(oid("1.2.840.10045.4.3.2"));
  const serial = createHash("sha256").update(`${name} ${process.hrtime.bigint()}`).digest().subarray(0, 8);
  serial[0] = 1;
  const extensions = [isAuthority ? authorityExtension() : subjectNames(name)];
  if (usages.length > 0) extensions.push(keyUsages(usages));
  const body = sequence(
    tagged(0xa0, integer(Uint8Array.of(2))),
    integer(serial),
    algorithm,
    nameOf(issuer),
    sequence(time(daysFrom), time(daysTo)),
    nameOf(name),
    subject.export({ type: "spki", format: "der" }),
    tagged(0xa3, sequence(...extensions)),
  );
  const whole = sequence(body, algorithm, bits(sign("sha256", body, signer)));
  const lines = Buffer.from(whole).toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

function authorityExtension(): Uint8Array {
  return extension("2.5.29.19", sequence(tagged(0x01, Uint8Array.of(0xff))));
}

/** It is reached on this machine, whatever it is called. */
function subjectNames(name: string): Uint8Array {
  const names = [tagged(0x87, Uint8Array.of(127, 0, 0, 1)), tagged(0x82, Buffer.from(name))];
  return extension("2.5.29.17", sequence(...names, tagged(0x82, Buffer.from("localhost"))));
}

function keyUsages(usages: readonly string[]): Uint8Array {
  const oids = usages.map((usage) => oid(`1.3.6.1.5.5.7.3.${usage === "serverAuth" ? 1 : 2}`));
  return extension("2.5.29.37", sequence(...oids));
}

function extension(id: string, value: Uint8Array): Uint8Array {
  return sequence(oid(id), tagged(0x04, value));
}

function nameOf(text: string): Uint8Array {
  return sequence(tagged(0x31, sequence(oid("2.5.4.3"), tagged(0x0c, Buffer.from(text)))));
}

function time(days: number): Uint8Array {
  const text = new Date(Date.now() + days * DAY_MS).toISOString();
  return tagged(0x17, Buffer.from(`${text.slice(2, 19).replace(/[-:T]/g, "")}Z`));
}

function oid(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const part of rest) {
    const groups = [part & 0x7f];
    for (let left = part >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return tagged(0x06, Uint8Array.from(bytes));
}

function integer(bytes: Uint8Array): Uint8Array {
  return tagged(0x02, bytes);
}

function bits(bytes: Uint8Array): Uint8Array {
  return tagged(0x03, Buffer.concat([Uint8Array.of(0), bytes]));
}

function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return tagged(0x30, Buffer.concat(parts));
}

function tagged(tag: number, content: Uint8Array): Uint8Array {
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Uint8Array.of(tag, ...size), content]);
}
