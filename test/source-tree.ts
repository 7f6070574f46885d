/** TypeScript's trees of sources, each parsed once however many rules look at it. */

import ts from "typescript";

const trees = new Map<string, ts.SourceFile>();

/** The tree of a file as it is in `text`; a rule must not change it. */
export function treeOf(path: string, text: string): ts.SourceFile {
  const known = trees.get(path);
  if (known?.text === text) return known;
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  trees.set(path, tree);
  return tree;
}
