/**
 * The rules of the house that a program can check, as functions from sources to faults.
 *
 * Sources are read with the TypeScript parser, so that a word in a comment or a string is no word.
 * Every fault says where, what, and what to write instead.
 */

import ts from "typescript";
import { treeOf } from "./source-tree.ts";

export interface Source {
  /** From the root of the repository, with slashes. */
  readonly path: string;
  readonly text: string;
}

/** The floors, lowest first. A file may import files on its own floor and below. */
const FLOORS = [
  "core",
  "storage",
  "server/ports",
  "server/wire",
  "server/admission",
  "server/membership",
  "server/replication",
  "server/coordination",
  "server/http",
  "server/console",
  "server/node-config.ts",
  "server/node-actor.ts",
  "server/node-stores.ts",
  "server/node-reports.ts",
  "server/node-repair.ts",
  "server/node-pauses.ts",
  "server/node-work.ts",
  "server/node.ts",
  "server/cli",
];

/** Where a process or a reader of the library comes in; nothing imports these. */
const ENTRANCES = ["server/cli/main.ts", "client/client.ts"];

/** What a file outside server/ports may not name, and what to use there. */
const PORT_WORDS: Readonly<Record<string, string>> = {
  "Date.now": "the clock port",
  "new Date()": "the clock port, and new Date(milliseconds)",
  "Math.random": "the random port",
  "crypto.randomUUID": "the random port",
  "crypto.getRandomValues": "the random port",
  setTimeout: "the clock port's timers",
  setInterval: "the clock port's timers",
  setImmediate: "the clock port's timers",
  performance: "the clock port",
  process: "a port: what the process was given is handed over at construction",
  Bun: "a port of its own in server/ports",
  Deno: "a port of its own in server/ports",
};

/** Last bits that differ between runtimes: a simulation would not replay, nodes would disagree. */
const INEXACT_WORDS = ["log", "log2", "log10", "log1p", "exp", "expm1", "pow", "sin", "cos", "tan"];

/** The one file of the client that may open sockets and look at the clock. */
const CLIENT_PORT = "client/runtime.ts";

export function isProduct(path: string): boolean {
  return /^(core|storage|server|client)\/.*\.ts$/.test(path);
}

/** Faults of one product file by itself. */
export function fileFaults(source: Source): string[] {
  const tree = treeOf(source.path, source.text);
  return [
    ...headFaults(source),
    ...nameFaults(source),
    ...wordFaults(source, tree),
    ...typeFaults(source, tree),
    ...commentFaults(source, tree),
  ].map((fault) => `${source.path}${fault}`);
}

/**
 * Faults of the imports among all product files. @param visitors files that are no product: bench
 */
export function importFaults(product: readonly Source[], visitors: readonly Source[]): string[] {
  const paths = new Set(product.map((source) => source.path));
  const edges = new Map(product.map((source) => [source.path, relativeImports(source)]));
  const faults: string[] = [];
  for (const source of product) faults.push(...edgeFaults(source, paths));
  for (const circle of circles(edges)) {
    faults.push(`${circle.join(" → ")}: a circle; move what both need to a file below both`);
  }
  const imported = new Set([...edges.values(), ...visitors.map(relativeImports)].flat());
  for (const path of paths) {
    if (imported.has(path) || ENTRANCES.includes(path)) continue;
    faults.push(`${path}: no product file imports it; use it, or take it out`);
  }
  return faults;
}

/** What lies at the root and is not on the list. */
export function rootFaults(entries: readonly string[], ignored: readonly string[]): string[] {
  const wanted = new Set([
    ...["README.md", "Makefile", "package.json", "package-lock.json", "tsconfig.json"],
    ...["LICENSE", "CHANGELOG.md", ".git", ".gitignore", ".ci"],
    ...["core", "storage", "server", "client", "packaging", "bench", "test"],
    ...ignored,
  ]);
  return entries
    .filter((entry) => !wanted.has(entry))
    .map((entry) => `${entry} lies at the root; put it in the folder whose concern it is`);
}

function at(tree: ts.SourceFile, position: number): string {
  return `:${tree.getLineAndCharacterOfPosition(position).line + 1}`;
}

function headFaults({ text }: Source): string[] {
  if (/^(#!.*\n)?\/\*\*/.test(text)) return [];
  return [": no head comment; begin with /** what this is, its picture, its invariants */"];
}

function nameFaults({ path }: Source): string[] {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const isVague = /^(utils?|helpers?|misc|common|manager)\.ts$/.test(name);
  if (/^[a-z0-9]+(-[a-z0-9]+)*\.ts$/.test(name) && !isVague) return [];
  return [": a file is named by the one concept in it, in kebab-case"];
}

function wordFaults(source: Source, tree: ts.SourceFile): string[] {
  const faults: string[] = [];
  const mayUsePorts = source.path.startsWith("server/ports/") || source.path === CLIENT_PORT;
  const mustBeExact = !/^server\/(ports|http|console|cli)\//.test(source.path);
  walk(tree, (node) => {
    const word = wordOf(node);
    const instead = Object.hasOwn(PORT_WORDS, word) ? PORT_WORDS[word] : undefined;
    if (instead !== undefined && !mayUsePorts) {
      faults.push(`${at(tree, node.getStart())}: ${word}; use ${instead}`);
    }
    if (mustBeExact && word.startsWith("Math.") && INEXACT_WORDS.includes(word.slice(5))) {
      faults.push(`${at(tree, node.getStart())}: ${word} differs between runtimes; use integers`);
    }
    if (/^console\./.test(word)) {
      faults.push(`${at(tree, node.getStart())}: ${word}; use the log port`);
    }
  });
  for (const { specifier, position } of imports(tree)) {
    if (!/^(node|bun):|^bun$/.test(specifier) || mayUsePorts) continue;
    faults.push(`${at(tree, position)}: "${specifier}"; use a port in server/ports`);
  }
  return faults;
}

/** The words of PORT_WORDS as they stand in the tree; "" for all else. */
function wordOf(node: ts.Node): string {
  if (ts.isNewExpression(node) && node.expression.getText() === "Date") {
    return (node.arguments?.length ?? 0) === 0 ? "new Date()" : "";
  }
  if (ts.isPropertyAccessExpression(node)) {
    const subject = node.expression.getText();
    return subject === "globalThis" ? node.name.text : `${subject}.${node.name.text}`;
  }
  return ts.isIdentifier(node) && isGlobal(node) ? node.text : "";
}

/** An identifier that is neither a property, a key nor declared in this file. */
function isGlobal(node: ts.Identifier): boolean {
  const parent = node.parent;
  if (ts.isPropertyAccessExpression(parent) && parent.name === node) return false;
  if (ts.isTypeNode(parent) || ts.isQualifiedName(parent)) return false;
  if ("name" in parent && parent.name === node) return false;
  return !declaredNames(node.getSourceFile()).has(node.text);
}

const declared = new WeakMap<ts.SourceFile, Set<string>>();

/** Every name that a file declares anywhere: what it calls `process` then is no global. */
function declaredNames(tree: ts.SourceFile): Set<string> {
  const known = declared.get(tree);
  if (known !== undefined) return known;
  const names = new Set<string>();
  walk(tree, (node) => {
    if (ts.isIdentifier(node) && "name" in node.parent && node.parent.name === node) {
      if (!ts.isPropertyAccessExpression(node.parent)) names.add(node.text);
    }
  });
  declared.set(tree, names);
  return names;
}

function typeFaults(_: Source, tree: ts.SourceFile): string[] {
  const faults: string[] = [];
  const fault = (node: ts.Node, what: string) =>
    faults.push(`${at(tree, node.getStart())}: ${what}`);
  walk(tree, (node) => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) fault(node, '"any"; use unknown and look at it');
    if (ts.isNonNullExpression(node)) fault(node, '"!"; test for null, or keep it from being null');
    if (ts.isAsExpression(node) && ts.isAsExpression(node.expression)) {
      fault(node, '"as … as"; read the value with a function that checks it');
    }
    if (ts.isExportAssignment(node)) fault(node, "a default export; export it by its name");
  });
  return faults;
}

function commentFaults({ text }: Source, tree: ts.SourceFile): string[] {
  const faults: string[] = [];
  for (const { pos, end } of comments(text, tree)) {
    const comment = text.slice(pos, end);
    const place = at(tree, pos);
    const mark = /\b(TODO|FIXME|XXX|HACK)\b|@ts-(ignore|expect-error|nocheck)/.exec(comment);
    if (mark !== null) faults.push(`${place}: ${mark[0]}; do it, or write an issue`);
    const line = comment.split("\n").find(isCode);
    if (line !== undefined) faults.push(`${place}: commented-out code; git remembers it: ${line}`);
  }
  return faults;
}

/** Every comment once. Looked for between tokens, so that strings with slashes in them are none. */
function comments(text: string, tree: ts.SourceFile): ts.TextRange[] {
  const found = new Map<number, number>();
  const visit = (node: ts.Node) => {
    for (const { pos, end } of ts.getLeadingCommentRanges(text, node.getFullStart()) ?? []) {
      found.set(pos, end);
    }
    for (const { pos, end } of ts.getTrailingCommentRanges(text, node.getEnd()) ?? []) {
      found.set(pos, end);
    }
    node.getChildren(tree).forEach(visit);
  };
  visit(tree);
  return Array.from(found, ([pos, end]) => ({ pos, end }));
}

/** A line of a comment that reads as a statement. */
function isCode(line: string): boolean {
  const bare = line.replace(/^\s*(\/\/|\/?\*+)\s?/, "").replace(/\*\/\s*$/, "").trim();
  if (/^(const|let|var) \w+.*=.*;$/.test(bare)) return true;
  if (/^(import|export) .*["'];$/.test(bare)) return true;
  if (/^(if|for|while|switch) \(.*\) ?(\{|.*;)$/.test(bare)) return true;
  if (/^(return|throw|await) .*[\w)\]"'`];$/.test(bare)) return true;
  return /^(this\.)?[#\w]+(\.[#\w]+)*(\(.*\)| = .*);$/.test(bare);
}

interface Import {
  readonly specifier: string;
  readonly position: number;
}

/** Static imports, re-exports and import("…"). */
function imports(tree: ts.SourceFile): Import[] {
  const found: Import[] = [];
  const add = (node: ts.Node | undefined) => {
    if (node === undefined || !ts.isStringLiteral(node)) return;
    found.push({ specifier: node.text, position: node.getStart() });
  };
  walk(tree, (node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) add(node.moduleSpecifier);
    const isDynamic = ts.isCallExpression(node) && node.expression.getText() === "import";
    if (isDynamic) add(node.arguments[0]);
    if (!ts.isImportTypeNode(node)) return;
    if (ts.isLiteralTypeNode(node.argument)) add(node.argument.literal);
  });
  return found;
}

/** The files that a file imports, from the root. */
function relativeImports(source: Source): string[] {
  return imports(treeOf(source.path, source.text))
    .filter(({ specifier }) => specifier.startsWith("."))
    .map(({ specifier }) => resolved(source.path, specifier));
}

function resolved(from: string, specifier: string): string {
  const parts = from.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}

function edgeFaults(source: Source, paths: ReadonlySet<string>): string[] {
  const tree = treeOf(source.path, source.text);
  const faults: string[] = [];
  for (const { specifier, position } of imports(tree)) {
    const place = `${source.path}${at(tree, position)}`;
    if (!specifier.startsWith(".")) {
      if (!/^(core|storage)\//.test(source.path)) continue;
      faults.push(`${place}: "${specifier}"; core and storage import no package and no runtime`);
      continue;
    }
    const target = resolved(source.path, specifier);
    if (paths.has(target)) {
      if (mayImport(source.path, target)) continue;
      faults.push(`${place}: ${target} is a floor above; hand over a callback at construction`);
    } else if (!/\.(json|html|css|svg)$/.test(target)) {
      faults.push(`${place}: "${specifier}" is no product file; name one, with its ending .ts`);
    }
  }
  return faults;
}

function mayImport(from: string, to: string): boolean {
  if (to.startsWith("client/")) return from.startsWith("client/") || from.startsWith("server/cli/");
  if (from.startsWith("client/")) return to.startsWith("core/");
  return floorOf(to) <= floorOf(from) && floorOf(to) >= 0;
}

function floorOf(path: string): number {
  return FLOORS.findIndex((floor) => path === floor || path.startsWith(`${floor}/`));
}

/** Each circle of imports that a walk in depth comes upon. */
function circles(edges: ReadonlyMap<string, readonly string[]>): string[][] {
  const found: string[][] = [];
  const left = new Set<string>();
  const walkFrom = (path: string, trail: readonly string[]) => {
    const start = trail.indexOf(path);
    if (start >= 0) found.push([...trail.slice(start), path]);
    if (start >= 0 || left.has(path)) return;
    for (const next of edges.get(path) ?? []) walkFrom(next, [...trail, path]);
    left.add(path);
  };
  for (const path of edges.keys()) walkFrom(path, []);
  return found;
}

function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}
