/**
 * The rules for what is tagged @hot: it allocates nothing by the look of it, and is measured.
 *
 *   look      no word in it that makes an object: new, a literal of an object, array, text or
 *             function, a view or copy of bytes, for…of, try (what is thrown is not looked at)
 *   measured  a suite calls it inside of allocatesNothing() or steadyHeapGrowth() (heap-growth.ts),
 *             a million times on each runtime; or what is measured so calls it
 *
 * The look alone is not enough: a number that does not fit its register is an object too.
 */

import ts from "typescript";
import { treeOf } from "./source-tree.ts";
import type { Source } from "./house-rules.ts";

/** A hot function, or a hot method of a class. */
interface Hot {
  readonly name: string;
  readonly path: string;
  readonly node: ts.FunctionDeclaration | ts.MethodDeclaration;
  /** Whether anything outside of its file can call it. */
  readonly isPublic: boolean;
}

/** What measures: functions of test/heap-growth.ts. */
const MEASURES = ["allocatesNothing", "steadyHeapGrowth"];

/** Methods that make something at each call. */
const MAKERS = new Set([
  "subarray",
  "slice",
  "map",
  "filter",
  "reduce",
  "concat",
  "forEach",
  "split",
  "from",
  "of",
]);

/** What is in hot functions of these files that allocates by its look. */
export function hotFaults(source: Source): string[] {
  return hotFunctions(source).flatMap(({ name, path, node }) =>
    makings(node).map((what) => `${path}: ${name}: ${what}; what is hot makes nothing`)
  );
}

/** Hot functions that no suite measures. */
export function unmeasured(sources: readonly Source[], suites: readonly Source[]): string[] {
  const callees = sources.flatMap(calls);
  const measured = new Set(suites.flatMap(measuredNames));
  for (let before = -1; before !== measured.size; ) {
    before = measured.size;
    for (const [caller, callee] of callees) if (measured.has(caller)) measured.add(callee);
  }
  return sources
    .flatMap(hotFunctions)
    .filter(({ name, isPublic }) => isPublic && !measured.has(name))
    .map(({ path, name }) => `${path}: ${name} is hot; call it in an allocatesNothing() of its suite`);
}

/** How many there are: a rule that finds none proves nothing. */
export function hotCount(sources: readonly Source[]): number {
  return sources.flatMap(hotFunctions).length;
}

function hotFunctions({ path, text }: Source): Hot[] {
  const tree = treeOf(path, text);
  const found: Hot[] = [];
  walk(tree, (node) => {
    const isOne = ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node);
    if (!isOne || node.name === undefined) return;
    const doc = ts.getJSDocCommentsAndTags(node).map((one) => one.getText()).join();
    if (!/@hot\b/.test(doc)) return;
    const isExported = ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Export;
    const isMethod = ts.isMethodDeclaration(node) && !ts.isPrivateIdentifier(node.name);
    const isPublic = isExported !== 0 || isMethod;
    found.push({ name: node.name.getText(), path, node, isPublic });
  });
  return found;
}

function makings(hot: ts.Node): string[] {
  const found: string[] = [];
  const look = (node: ts.Node): void => {
    if (ts.isThrowStatement(node) || ts.isTypeNode(node)) return;
    const what = making(node);
    if (what !== "") found.push(what);
    ts.forEachChild(node, look);
  };
  ts.forEachChild(hot, look);
  return found;
}

function making(node: ts.Node): string {
  if (ts.isNewExpression(node)) return `new ${node.expression.getText()}`;
  if (ts.isArrayLiteralExpression(node)) return "an array";
  if (ts.isObjectLiteralExpression(node)) return "an object";
  if (ts.isTemplateExpression(node)) return "a text";
  if (ts.isArrowFunction(node) || ts.isFunctionExpression(node)) return "a function";
  if (ts.isArrayBindingPattern(node) || ts.isSpreadElement(node)) return "an iteration";
  if (ts.isForOfStatement(node)) return "for…of";
  if (ts.isTryStatement(node)) return "try";
  if (ts.isBigIntLiteral(node)) return "a BigInt";
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return "";
  const method = node.expression.name.text;
  return MAKERS.has(method) ? `.${method}()` : "";
}

/** Names of all that is called inside of what measures, or of what this suite has made to measure. */
function measuredNames({ path, text }: Source): string[] {
  const tree = treeOf(path, text);
  const measures = new Set(MEASURES);
  for (const one of tree.statements) {
    if (!ts.isFunctionDeclaration(one) || one.name === undefined) continue;
    if (calledIn(one).includes("steadyHeapGrowth")) measures.add(one.name.text);
  }
  const names: string[] = [];
  walk(tree, (node) => {
    if (!ts.isCallExpression(node) || !measures.has(node.expression.getText())) return;
    names.push(...calledIn(node));
  });
  return names;
}

/** Who calls whom in a file, by names. */
function calls({ path, text }: Source): (readonly [caller: string, callee: string])[] {
  const pairs: (readonly [string, string])[] = [];
  walk(treeOf(path, text), (node) => {
    const isOne = ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node);
    const caller = isOne ? node.name?.getText() : undefined;
    if (caller !== undefined) for (const callee of calledIn(node)) pairs.push([caller, callee]);
  });
  return pairs;
}

/** Names of the functions and methods called anywhere in a node. */
function calledIn(node: ts.Node): string[] {
  const names: string[] = [];
  walk(node, (inner) => {
    if (!ts.isCallExpression(inner)) return;
    const callee = inner.expression;
    names.push(ts.isPropertyAccessExpression(callee) ? callee.name.text : callee.getText());
  });
  return names;
}

function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}
