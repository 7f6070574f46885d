/**
 * Who this node is, between runs: file `identity.cbor` in its data directory.
 *
 *   incarnation   64 random bits drawn when the directory was made
 *   nodeId        the same; or, where the directory replaces a lost one, the id of the node that it
 *                 comes back as
 *   clusterId     null until a cluster was founded or has admitted the node
 *   since         the layout that admitted this directory; 0 before
 *   gone          why this directory is no member's any more: one sentence; "" while it is
 *
 * The object is one and lives as long as the node: the wire reads the id and the cluster from it at
 * each handshake, and joining changes them.
 */

import type { Disk } from "../../storage/disk.ts";
import type { Random } from "../ports/random.ts";
import { Fields } from "./document.ts";
import { hexText } from "./member.ts";
import { loadDocument, saveDocument } from "./state-file.ts";

export const IDENTITY_FILE = "identity.cbor";
const GONE_CHARS_MAX = 1_024;

export class Identity {
  readonly incarnation: string;
  readonly name: string;
  /** The cluster's, as this node was told it; null: none. Never stored. */
  secret: Uint8Array | null = null;
  readonly #disk: Disk;
  #nodeId: string;
  #clusterId: string | null;
  #since: number;
  #gone: string;

  private constructor(
    disk: Disk,
    name: string,
    content: {
      incarnation: string;
      nodeId: string;
      clusterId: string | null;
      since: number;
      gone: string;
    },
  ) {
    this.#disk = disk;
    this.name = name;
    this.incarnation = content.incarnation;
    this.#nodeId = content.nodeId;
    this.#clusterId = content.clusterId;
    this.#since = content.since;
    this.#gone = content.gone;
  }

  /**
   * Reads the identity, or draws one and stores it.
   * @param name the node's name as configured
   * @throws DiskError, MalformedDocument where the file is there and cannot be used
   */
  static load(disk: Disk, random: Random, name: string): Identity {
    const document = loadDocument(disk, IDENTITY_FILE);
    if (document !== null) return Identity.#read(disk, name, new Fields(document));
    const drawn = new Uint8Array(8);
    random.fill(drawn);
    const incarnation = hexText(drawn);
    const content = { incarnation, nodeId: incarnation, clusterId: null, since: 0, gone: "" };
    const identity = new Identity(disk, name, content);
    identity.#save();
    return identity;
  }

  static #read(disk: Disk, name: string, fields: Fields): Identity {
    return new Identity(disk, name, {
      incarnation: fields.nodeId("incarnation"),
      nodeId: fields.nodeId("nodeId"),
      clusterId: fields.has("clusterId") ? fields.nodeId("clusterId") : null,
      since: fields.whole("since", 0),
      gone: fields.has("gone") ? fields.text("gone", GONE_CHARS_MAX) : "",
    });
  }

  /** 16 hexadecimal digits. Changes at most once: when the node comes back as another. */
  get nodeId(): string {
    return this.#nodeId;
  }

  get since(): number {
    return this.#since;
  }

  get gone(): string {
    return this.#gone;
  }

  clusterId(): string | null {
    return this.#clusterId;
  }

  /** Becomes node `nodeId` of a cluster, durably. @throws DiskError */
  admit(nodeId: string, clusterId: string, since: number): void {
    this.#nodeId = nodeId;
    this.#clusterId = clusterId;
    this.#since = since;
    this.#save();
  }

  /** The node has left its cluster or was removed from it, for good. @throws DiskError */
  leave(sentence: string): void {
    this.#gone = sentence.slice(0, GONE_CHARS_MAX);
    this.#save();
  }

  #save(): void {
    saveDocument(this.#disk, IDENTITY_FILE, {
      incarnation: this.incarnation,
      nodeId: this.#nodeId,
      clusterId: this.#clusterId,
      since: this.#since,
      name: this.name,
      gone: this.#gone,
    });
  }
}
