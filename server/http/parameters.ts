/**
 * Query parameters. Strict on purpose: a name that the route does not know, one given twice, or a
 * value that means nothing is refused: a mistyped `dw` that is silently ignored would cost
 * durability.
 */

import {
  LIST_KEYS_DEFAULT,
  LIST_KEYS_MAX,
  TIMEOUT_MS_DEFAULT,
  TIMEOUT_MS_MAX,
} from "../../core/limits.ts";
import type { Quorum } from "../coordination/store.ts";
import { Refusal } from "./problem.ts";
import { excerpt, parameterBytes } from "./target.ts";

/** The parameters of an object route. */
export interface ObjectParameters {
  readonly r: Quorum;
  readonly w: Quorum;
  readonly dw: Quorum;
  readonly pr: Quorum;
  readonly pw: Quorum;
  readonly timeoutMs: number;
  readonly returnBody: boolean;
  /** base64url of the key; null where it was not given. */
  readonly key64: string | null;
}

/** Quorums by name, and the least number that each parameter may be. */
export const QUORUM_WORDS = ["one", "quorum", "all", "default"] as const;
export const QUORUM_LEAST = { r: 1, w: 1, dw: 0, pr: 0, pw: 0 } as const;

/** The greatest number that is read as one; whether so many replicas can be had the store says. */
export const QUORUM_NUMBER_MAX = 9_999;

const OBJECT_NAMES = [...Object.keys(QUORUM_LEAST), "timeout", "returnbody", "key64"];
const LIST_NAMES = ["cursor", "limit", "prefix", "r", "timeout"];

const NONE_GIVEN: ObjectParameters = {
  r: "default",
  w: "default",
  dw: "default",
  pr: "default",
  pw: "default",
  timeoutMs: TIMEOUT_MS_DEFAULT,
  returnBody: false,
  key64: null,
};

/** Reads the query of an object route. @throws Refusal bad-parameter */
export function readObjectParameters(query: string): ObjectParameters {
  if (query === "") return NONE_GIVEN;
  const given = readQuery(query, OBJECT_NAMES);
  return {
    r: quorumOf(given, "r"),
    w: quorumOf(given, "w"),
    dw: quorumOf(given, "dw"),
    pr: quorumOf(given, "pr"),
    pw: quorumOf(given, "pw"),
    timeoutMs: timeoutOf(given),
    returnBody: flagOf(given, "returnbody"),
    key64: given.get("key64") ?? null,
  };
}

/**
 * Splits a query (without its question mark) into names and values.
 * @throws Refusal bad-parameter: a name that is not in `allowed`, one given twice, a malformed
 * escape
 */
export function readQuery(query: string, allowed: readonly string[]): Map<string, string> {
  const given = readRawQuery(query, allowed);
  for (const [name, value] of given) given.set(name, unescape(value));
  return given;
}

/** The same with values as they were given. */
export function readRawQuery(query: string, allowed: readonly string[]): Map<string, string> {
  const given = new Map<string, string>();
  if (query === "") return given;
  for (const pair of query.split("&")) {
    const equals = pair.indexOf("=");
    const name = unescape(equals < 0 ? pair : pair.slice(0, equals));
    if (!allowed.includes(name)) throw unknownParameter(name, allowed);
    if (given.has(name)) {
      throw new Refusal("bad-parameter", `The parameter '${name}' is given twice, want it once.`);
    }
    given.set(name, equals < 0 ? "" : pair.slice(equals + 1));
  }
  return given;
}

function unknownParameter(name: string, allowed: readonly string[]): Refusal {
  const wanted = allowed.length === 0 ? "it takes none" : `want one of ${allowed.join(", ")}`;
  return new Refusal(
    "bad-parameter",
    `'${excerpt(name)}' is not a parameter of this route, ${wanted}.`,
  );
}

function unescape(text: string): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Refusal(
      "bad-parameter",
      `The query has '${excerpt(text)}' in it, want % followed by two hexadecimal digits.`,
    );
  }
}

/** The parameters of a listing. */
export interface ListParameters {
  readonly cursor: string;
  readonly limit: number;
  readonly prefix: Uint8Array;
  readonly r: Quorum;
  readonly timeoutMs: number;
}

/** @throws Refusal bad-parameter */
export function readListParameters(query: string): ListParameters {
  const given = readRawQuery(query, LIST_NAMES);
  return {
    cursor: given.get("cursor") ?? "",
    limit: limitOf(given),
    prefix: parameterBytes("prefix", given.get("prefix") ?? ""),
    r: quorumOf(given, "r"),
    timeoutMs: timeoutOf(given),
  };
}

function limitOf(given: Map<string, string>): number {
  const text = given.get("limit");
  if (text === undefined) return LIST_KEYS_DEFAULT;
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= LIST_KEYS_MAX) return limit;
  const wanted = `want a number from 1 to ${LIST_KEYS_MAX}`;
  throw new Refusal("bad-parameter", `limit is '${excerpt(text)}', ${wanted}.`);
}

function quorumOf(given: Map<string, string>, name: keyof typeof QUORUM_LEAST): Quorum {
  const text = given.get(name);
  const least = QUORUM_LEAST[name];
  if (text === undefined) return "default";
  const quorum = parseQuorum(text, least);
  if (quorum === null) throw badQuorum(name, text, least);
  return quorum;
}

/** A quorum as text: a number from `least`, or one, quorum, all, default. Null where it is none. */
export function parseQuorum(text: string, least: number): Quorum | null {
  if (text === "one" || text === "quorum" || text === "all" || text === "default") return text;
  if (!/^\d{1,4}$/.test(text) || Number(text) < least) return null;
  return Number(text);
}

function badQuorum(name: string, text: string, least: number): Refusal {
  const wanted = `want a number from ${least}, or one, quorum, all, default`;
  return new Refusal("bad-parameter", `${name} is '${excerpt(text)}', ${wanted}.`);
}

/** The `timeout` parameter in milliseconds. @throws Refusal bad-parameter */
export function timeoutOf(given: Map<string, string>): number {
  const text = given.get("timeout");
  if (text === undefined) return TIMEOUT_MS_DEFAULT;
  const timeoutMs = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (timeoutMs < 1 || timeoutMs > TIMEOUT_MS_MAX) {
    const wanted = `want milliseconds from 1 to ${TIMEOUT_MS_MAX}`;
    throw new Refusal("bad-parameter", `timeout is '${excerpt(text)}', ${wanted}.`);
  }
  return timeoutMs;
}

function flagOf(given: Map<string, string>, name: string): boolean {
  const text = given.get(name);
  if (text === undefined || text === "false") return false;
  if (text === "true") return true;
  throw new Refusal("bad-parameter", `${name} is '${excerpt(text)}', want true or false.`);
}
