/** Whom requests are sent to: owners by the layout (topology.ts), or whoever is behind some addresses (relays.ts). */

import type { RemoteNode } from "./remote-node.ts";

export interface Routes {
  /** Number of the layout that is gone by; 0: none. */
  readonly number: number;
  /** Why no node can be reached, one sentence. */
  readonly trouble: string;
  /** Whether the nodes that can be reached do not let this client in. */
  readonly isRefused: boolean;
  /** Calls back once there is somebody to ask, or nobody can be found. */
  whenKnown(ready: () => void): void;
  /** Whom to ask about a name, best first. @param preferred id of the node that is best, if it is an owner; "": any */
  route(name: Uint8Array, isWrite: boolean, preferred: string): RemoteNode[];
  /** Any node, best first, for what is not about one name. */
  anyone(): RemoteNode[];
  /** An answer carried the number of the layout that its node reads by. */
  seen(number: number): void;
  close(): void;
}

/** Nodes in their order, but those that were not reached lately at last. */
export function suspectedLast(nodes: RemoteNode[]): RemoteNode[] {
  if (!nodes.some((node) => node.isSuspected)) return nodes;
  return [...nodes.filter((node) => !node.isSuspected), ...nodes.filter((node) => node.isSuspected)];
}

/** What keeps nodes from being reached. */
export function troubleOf(nodes: readonly RemoteNode[]): string {
  const wrong = nodes.filter((node) => node.wrong !== "").map((node) => `${node.address}: ${node.wrong}`);
  return wrong.length === 0 ? "no node answered" : wrong.slice(0, 3).join("; ");
}
