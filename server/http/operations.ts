/** The table of all operations (operation.ts), in the order in which people meet them. */

import { NODE_OPERATIONS } from "./node-operations.ts";
import { OBJECT_OPERATIONS } from "./object-operations.ts";
import type { Operation } from "./operation.ts";

const ALL = [...OBJECT_OPERATIONS, ...NODE_OPERATIONS];

export type OperationId = (typeof ALL)[number]["id"];

export const OPERATIONS: readonly (Operation & { readonly id: OperationId })[] = ALL;

/** Operations by their path, in order. */
export function byPath(operations: readonly Operation[]): Map<string, Operation[]> {
  const paths = new Map<string, Operation[]>();
  for (const operation of operations) {
    const others = paths.get(operation.path);
    if (others === undefined) paths.set(operation.path, [operation]);
    else others.push(operation);
  }
  return paths;
}
