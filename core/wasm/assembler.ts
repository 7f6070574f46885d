/**
 * WebAssembly by hand: formulas over 128-bit vectors → the bytes of a module.
 *
 *   add(local(0), constant(7))        an expression is a list of bytes. The machine works on a stack,
 *   │   │         │                   so an operator's bytes follow those of its operands, and
 *   │   20 00     fd 0c 07 00 00 …    formulas are put together by putting lists together
 *   20 00  fd 0c 07 00 00 …  fd ae 01
 *
 * Just as much of the format as the kernels of this room need: one exported function `run` without
 * parameters, whose locals are all vectors, and one exported memory, where it finds its input and
 * leaves its output. A vector is four lanes of 32 bits, little-endian. Operations on lanes wrap.
 *
 * Source: WebAssembly Core Specification 2.0, sections 5.4 (instructions) and 5.5 (modules).
 */

/** Bytes of instructions that leave one value on the stack, or, as a statement, none. */
export type Code = readonly number[];

/** Bytes of a vector. */
export const VECTOR_BYTES = 16;

const LANES = 4;
const TYPE_V128 = 0x7b;
const LOCAL_GET = 0x20;
const LOCAL_SET = 0x21;
const I32_CONST = 0x41;
const END = 0x0b;
/** Every vector instruction begins so; a number in LEB128 says which one it is. */
const VECTOR_PREFIX = 0xfd;
const V128_LOAD = 0;
const V128_STORE = 11;
const V128_CONST = 12;
const I8X16_SHUFFLE = 13;
const V128_NOT = 77;
const V128_AND = 78;
const V128_ANDNOT = 79;
const V128_OR = 80;
const V128_XOR = 81;
const I32X4_SHL = 171;
const I32X4_SHR_U = 173;
const I32X4_ADD = 174;
/** What a load may suppose of its address: nothing (2 ^ 0). Only a hint. */
const ALIGNMENT = 0;

export function local(index: number): Code {
  return [LOCAL_GET, ...unsigned(index)];
}

/** A statement: the local takes the value. */
export function set(index: number, value: Code): Code {
  return [...value, LOCAL_SET, ...unsigned(index)];
}

/** A vector with the same 32-bit word in every lane. */
export function constant(word: number): Code {
  return [...vector(V128_CONST), ...Array.from({ length: LANES }, () => littleEndian(word)).flat()];
}

/** The vector at an address of the memory, in bytes. */
export function load(address: number): Code {
  return [I32_CONST, 0, ...vector(V128_LOAD), ALIGNMENT, ...unsigned(address)];
}

/** A statement: the vector goes to an address of the memory. */
export function store(address: number, value: Code): Code {
  return [I32_CONST, 0, ...value, ...vector(V128_STORE), ALIGNMENT, ...unsigned(address)];
}

export function not(value: Code): Code {
  return [...value, ...vector(V128_NOT)];
}

export function and(left: Code, right: Code): Code {
  return [...left, ...right, ...vector(V128_AND)];
}

/** The bits of `left` that `right` does not have. */
export function andNot(left: Code, right: Code): Code {
  return [...left, ...right, ...vector(V128_ANDNOT)];
}

export function or(left: Code, right: Code): Code {
  return [...left, ...right, ...vector(V128_OR)];
}

export function xor(left: Code, right: Code): Code {
  return [...left, ...right, ...vector(V128_XOR)];
}

/** Lane by lane, modulo 2^32. */
export function add(left: Code, right: Code): Code {
  return [...left, ...right, ...vector(I32X4_ADD)];
}

/** Every lane by 0 to 31 bits (so few take one byte), zeros from the right. */
export function shiftLeft(value: Code, bits: number): Code {
  return [...value, I32_CONST, bits, ...vector(I32X4_SHL)];
}

/** Every lane by 0 to 31 bits, zeros from the left. */
export function shiftRight(value: Code, bits: number): Code {
  return [...value, I32_CONST, bits, ...vector(I32X4_SHR_U)];
}

/** The bytes of every lane in reverse order. */
export function swapBytes(value: Code): Code {
  const order = Array.from({ length: VECTOR_BYTES }, (_, byte) => byte ^ (LANES - 1));
  return [...value, ...value, ...vector(I8X16_SHUFFLE), ...order];
}

/** What a kernel is made of. */
export interface Kernel {
  /** Pages of 64 KiB. */
  readonly memoryPages: number;
  /** Vectors, zero at first, numbered from 0. */
  readonly localCount: number;
  readonly statements: readonly Code[];
}

/** A module that exports `memory` and `run`. */
export function assemble({ memoryPages, localCount, statements }: Kernel): Uint8Array<ArrayBuffer> {
  const locals = list([[...unsigned(localCount), TYPE_V128]]);
  const body = [...locals, ...statements.flat(), END];
  const pages = unsigned(memoryPages);
  return Uint8Array.from([
    ...[0x00, ...text("asm"), 1, 0, 0, 0],
    // Types: function 0's, without parameters and results.
    ...section(1, list([[0x60, ...list([]), ...list([])]])),
    // Functions: function 0 is of type 0.
    ...section(3, list([[0]])),
    // Memories: memory 0 with its least and its greatest size.
    ...section(5, list([[0x01, ...pages, ...pages]])),
    // Exports: by name, kind (2 a memory, 0 a function) and number.
    ...section(7, list([[...name("memory"), 2, 0], [...name("run"), 0, 0]])),
    // Code: function 0's.
    ...section(10, list([[...unsigned(body.length), ...body]])),
  ]);
}

function section(id: number, content: Code): Code {
  return [id, ...unsigned(content.length), ...content];
}

/** What the specification calls a vector: a count, then the entries. */
function list(entries: readonly Code[]): Code {
  return [...unsigned(entries.length), ...entries.flat()];
}

function name(characters: string): Code {
  return [...unsigned(characters.length), ...text(characters)];
}

function text(characters: string): Code {
  return Array.from(characters, (character) => character.charCodeAt(0));
}

function vector(instruction: number): Code {
  return [VECTOR_PREFIX, ...unsigned(instruction)];
}

function littleEndian(word: number): Code {
  return [word & 0xff, (word >>> 8) & 0xff, (word >>> 16) & 0xff, word >>> 24];
}

/** LEB128: seven bits a byte, the lowest first, the top bit says that more follow. */
function unsigned(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}
