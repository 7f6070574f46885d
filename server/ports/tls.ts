/**
 * TLS as a node has it: which certificate it shows, whom it trusts, and how both change while it runs.
 *
 *   files ──every 10 s, or when asked──► changed? ──► good: shown to who connects from now on
 *                                                └──► not: said once, those before stay
 *
 * Connections that stand keep what they began with. What is about to expire is said once a day.
 */

import {
  type Certificates,
  CertificateError,
  isSameTexts,
  judgeTlsTexts,
  readTlsTexts,
  type TlsFiles,
  type TlsTexts,
} from "./certificates.ts";
import type { Clock, Timer } from "./clock.ts";
import type { Log } from "./log.ts";

/** Older ones are broken. */
export const TLS_VERSION_MIN = "TLSv1.2";
export const TLS_HANDSHAKE_MS_MAX = 10_000;
const LOOK_MS = 10_000;
const DAY_MS = 86_400_000;
const EXPIRY_TOLD_BEFORE_DAYS = 30;
/** How often the operator hears of handshakes that failed: whoever floods the door shall not flood the log. */
const FAILURE_TOLD_EVERY_MS = 10_000;

export interface TlsConfig {
  readonly files: TlsFiles;
  /** Whether connections without TLS are taken as well, and dialled where the other side has none. */
  readonly isOptional: boolean;
  /** What the certificate of each node has to be made out to; "": nobody looks. */
  readonly peerName: string;
  /** From the first byte, or the dialling, to a connection that stands. */
  readonly handshakeMs: number;
}

export class Tls {
  readonly config: TlsConfig;
  readonly #clock: Pick<Clock, "after" | "elapsedMs" | "nowMs">;
  readonly #log: Log;
  #current: Certificates;
  /** Those that were looked at last, good or not. */
  #seen: TlsTexts;
  /** Why they could not be read; "": they could. */
  #unreadable = "";
  #expiryToldMs = -Infinity;
  #failureToldMs = -Infinity;
  #timer: Timer | null = null;
  #counters = { tlsReloads: 0, tlsReloadsFailed: 0, tlsHandshakesFailed: 0 };

  /** @throws CertificateError */
  constructor(config: TlsConfig, clock: Pick<Clock, "after" | "elapsedMs" | "nowMs">, log: Log) {
    this.config = config;
    this.#clock = clock;
    this.#log = log;
    this.#seen = readTlsTexts(config.files);
    this.#current = judgeTlsTexts(config.files, this.#seen, clock.nowMs());
  }

  /** What is shown now; another object after each change. */
  get current(): Certificates {
    return this.#current;
  }

  /** Whether nodes have to show a certificate of a trusted authority. */
  get isMutual(): boolean {
    return this.config.files.authorities !== null;
  }

  /** Looks at the files from now on. */
  start(): void {
    this.#tellExpiry();
    this.#timer = this.#clock.after(LOOK_MS, () => {
      this.#look();
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** Looks at once, and says what it found also where nothing has changed. */
  reload(): void {
    this.#unreadable = "";
    this.#seen = this.#current.texts;
    if (!this.#look()) this.#log.info("certificates are as they were", this.#expiry());
  }

  /** A handshake that failed. @param remote who was at the other end */
  failed(remote: string, why: string): void {
    this.#counters.tlsHandshakesFailed++;
    const nowMs = this.#clock.elapsedMs();
    if (nowMs - this.#failureToldMs < FAILURE_TOLD_EVERY_MS) return;
    this.#failureToldMs = nowMs;
    this.#log.warn("TLS handshake failed", { remote, why, inAll: this.#counters.tlsHandshakesFailed });
  }

  statistics(): Record<string, number> {
    return { ...this.#counters, tlsDaysLeft: this.#daysLeft() };
  }

  /** Whether there was something to say. */
  #look(): boolean {
    const { files } = this.config;
    try {
      const texts = readTlsTexts(files);
      this.#unreadable = "";
      if (isSameTexts(texts, this.#seen)) return false;
      this.#seen = texts;
      this.#current = judgeTlsTexts(files, texts, this.#clock.nowMs());
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
      return this.#stay(error.message);
    }
    this.#counters.tlsReloads++;
    this.#expiryToldMs = -Infinity;
    this.#log.info("certificates were replaced", this.#expiry());
    return true;
  }

  /** The same trouble is said once. */
  #stay(why: string): boolean {
    if (why === this.#unreadable) return false;
    this.#unreadable = why;
    this.#counters.tlsReloadsFailed++;
    this.#log.error("certificates cannot be replaced, those before stay", { why });
    return true;
  }

  #tellExpiry(): void {
    const nowMs = this.#clock.elapsedMs();
    if (this.#daysLeft() >= EXPIRY_TOLD_BEFORE_DAYS || nowMs - this.#expiryToldMs < DAY_MS) return;
    this.#expiryToldMs = nowMs;
    const isOver = this.#current.expiresMs <= this.#clock.nowMs();
    if (isOver) this.#log.error("a certificate has expired: others refuse it", this.#expiry());
    else this.#log.warn("a certificate expires soon", this.#expiry());
  }

  #expiry(): { readonly file: string; readonly until: string; readonly daysLeft: number } {
    const until = new Date(this.#current.expiresMs).toISOString();
    return { file: this.#current.expiresIn, until, daysLeft: this.#daysLeft() };
  }

  /** Whole days; below 0 when it has expired. */
  #daysLeft(): number {
    return Math.floor((this.#current.expiresMs - this.#clock.nowMs()) / DAY_MS);
  }
}
