/**
 * The settings of TLS: which files, and whether connections without it are taken as well. The files are
 * read and judged before anything is opened; a node does not start with some that would not work.
 *
 *   nothing given                        plain
 *   --tls-cert, --tls-key                TLS at both ports
 *   … and --tls-ca                       nodes show each other certificates
 *   … and --tls optional                 for the time of a rolling restart: plain is taken as well
 */

import { CertificateError, judgeTlsTexts, type NamedFile, readTlsTexts, type TlsFiles } from "../ports/certificates.ts";
import { systemClock } from "../ports/clock.ts";
import { TLS_HANDSHAKE_MS_MAX, type TlsConfig } from "../ports/tls.ts";
import { type CommandLine, UsageError } from "./command-line.ts";

const DEPENDENT = ["tls-key", "tls-ca", "tls-peer-name"];

/** Null: no TLS. @throws UsageError */
export function readTlsConfig(line: CommandLine): TlsConfig | null {
  const mode = line.text("tls");
  if (!["", "required", "optional", "off"].includes(mode)) {
    throw new UsageError(`${line.place("tls")} is '${mode}', want required, optional or off`);
  }
  if (mode === "off") return null;
  const certificate = named(line, "tls-cert");
  const key = named(line, "tls-key");
  const authorities = named(line, "tls-ca");
  if (certificate === null) return withoutCertificate(line, mode);
  if (key === null) throw new UsageError(`${line.place("tls-cert")} is given without --tls-key, want both`);
  const peerName = line.text("tls-peer-name");
  if (peerName !== "" && authorities === null) {
    throw new UsageError(`${line.place("tls-peer-name")} is given without --tls-ca, want both`);
  }
  if (!/^([a-z0-9_-]+(\.[a-z0-9_-]+)*)?$/i.test(peerName)) {
    throw new UsageError(`${line.place("tls-peer-name")} is '${peerName}', want a DNS name as in nodes.halo.example`);
  }
  const files = { certificate, key, authorities };
  judge(files);
  return { files, isOptional: mode === "optional", peerName, handshakeMs: TLS_HANDSHAKE_MS_MAX };
}

function withoutCertificate(line: CommandLine, mode: string): null {
  for (const name of DEPENDENT) {
    if (line.text(name) === "") continue;
    throw new UsageError(`${line.place(name)} is given without --tls-cert, want both`);
  }
  if (mode === "") return null;
  throw new UsageError(`${line.place("tls")} is '${mode}' without --tls-cert, want both`);
}

function named(line: CommandLine, name: string): NamedFile | null {
  const path = line.text(name);
  return path === "" ? null : { place: line.place(name), path };
}

function judge(files: TlsFiles): void {
  try {
    judgeTlsTexts(files, readTlsTexts(files), systemClock.nowMs());
  } catch (error) {
    if (error instanceof CertificateError) throw new UsageError(error.message);
    throw error;
  }
}
