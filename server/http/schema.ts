/**
 * Schemas of JSON: what a body may be, said once. They check what clients send and are what the OpenAPI document
 * shows (openapi.ts), as are those of the answers.
 *
 *   fields({ node: text(1, 255) }, voice)   an object of these fields and no other
 *   readAs(schema, value, voice)            the value, or a refusal of one sentence
 *
 * The message of a leaf is what is wanted ("a text of 1 to 255 characters"); the sentence around it, with the name
 * and what was given, is made where all of the path is known. An unknown field is refused before anything else: it is
 * most often a mistyped one.
 */

import * as v from "valibot";
import { Refusal } from "./problem.ts";
import { excerpt } from "./target.ts";

export type Schema<Output = unknown> = v.GenericSchema<unknown, Output>;

/** How a body's errors are told. */
export interface Voice {
  /** What is wanted where the whole is no object. */
  readonly whole: string;
  /** The sentence about a field that there is none of. */
  readonly unknown: (name: string, wanted: string, place: string) => string;
  /** How a field that was not given is told. */
  readonly absent: string;
}

/** A field by its schema; what is wanted of it is its message. */
type Entries = Readonly<Record<string, Schema & { readonly message?: unknown }>>;

/** An object of these fields and no other. @param wanted of the whole */
export function fields<const E extends Entries>(entries: E, wanted = "an object") {
  const names = Object.keys(entries).join(", ");
  return v.strictObject(entries, ({ expected, path }: v.StrictObjectIssue): string => {
    const key = path?.[0]?.key;
    if (key === undefined) return wanted;
    return expected === "never" ? names : messageOf(entries[String(key)]);
  });
}

function messageOf(schema: Entries[string] | undefined): string {
  return typeof schema?.message === "string" ? schema.message : "a value";
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function text(least: number, most: number) {
  const wanted = `a text of ${least} to ${most} characters`;
  return v.pipe(v.string(wanted), v.minLength(least, wanted), v.maxLength(most, wanted));
}

export function whole(least: number, most: number, wanted = `a whole number from ${least} to ${most}`) {
  return v.pipe(v.number(wanted), v.integer(wanted), v.minValue(least, wanted), v.maxValue(most, wanted));
}

/** A list with bounds, which are looked at before what is in it. */
export function list<Item extends Schema>(item: Item, least: number, most: number, wanted: string) {
  return v.pipe(
    v.array(v.unknown(), wanted),
    v.minLength(least, wanted),
    v.maxLength(most, wanted),
    v.array(item, wanted),
    v.minLength(least, wanted),
    v.maxLength(most, wanted),
  );
}

/** What a body of JSON says, which is an object. @throws Refusal bad-parameter */
export function readAs<Output>(schema: Schema<Output>, value: unknown, voice: Voice): Output {
  if (Array.isArray(value)) throw new Refusal("bad-parameter", voice.whole);
  const { issues, output, success } = v.safeParse(schema, value);
  if (success) return output;
  throw new Refusal("bad-parameter", sentenceOf(issues.find(isUnknownField) ?? issues[0], voice));
}

type Issue = v.BaseIssue<unknown>;

function isUnknownField({ type, expected }: Issue): boolean {
  return type === "strict_object" && expected === "never";
}

function sentenceOf(issue: Issue, voice: Voice): string {
  const { path = [], message, input, type } = issue;
  const place = pathText(path);
  // What is wrong with several fields together says so itself.
  if (type === "check") return place === "" ? `${message}.` : `${place} ${message}.`;
  if (place === "") return voice.whole;
  if (isUnknownField(issue)) {
    return voice.unknown(excerpt(String(path[path.length - 1].key)), message, pathText(path.slice(0, -1)));
  }
  if (issue.expected === "Object" && type === "strict_object") return `${place} is no object, want ${message}.`;
  const given = input === undefined ? voice.absent : excerpt(JSON.stringify(input));
  return `${place} is ${given}, want ${message}.`;
}

/** As in operations[1].meta.colour */
function pathText(path: readonly { readonly key?: unknown }[]): string {
  return path.reduce((text, { key }) => {
    if (typeof key === "number") return `${text}[${key}]`;
    return text === "" ? String(key) : `${text}.${String(key)}`;
  }, "");
}
