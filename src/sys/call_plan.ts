/**
 * What marshalling decides about one trapped call: the types, and the buffers' arithmetic shared by marshal.ts and
 * marshal_vectors.ts. Nothing here touches Linux; a body's memory comes in as `BodyMemory`.
 */

import type { ArgumentKind, LengthRule } from './syscalls.ts';

/**
 * One buffer of a forwarded call. Its argument is replaced by the address of `length` bytes of bounce memory at home.
 *
 * - `in`, `string`: read from the body before the call.
 * - `out`: written to the body after the call if it succeeded (result >= 0); with `filled: 'result'` only
 *   min(length, result x unit) bytes of it.
 * - `inout`: read before, and written back after the call whether or not it succeeded (nanosleep reports the rest with EINTR).
 *
 * With `segments` the bytes are scattered in the body, in that order, `length` in all; `address` is the first segment's.
 * A `string` has its NUL as the last byte, unless it is 4096 bytes long: then it may have none, and home's kernel says ENAMETOOLONG.
 */
export interface BufferPlan {
  readonly argument: number;
  readonly address: number;
  readonly length: number;
  readonly direction: 'in' | 'out' | 'inout' | 'string';
  readonly filled: 'whole' | 'result';
  readonly unit: number;
  readonly segments?: readonly Segment[];
}

export interface Segment {
  readonly address: number;
  readonly length: number;
}

/** A call to be made at home. `nr` may differ from the trapped one (readv is made as read). */
export interface ForwardPlan {
  readonly kind: 'forward';
  readonly nr: number;
  /** As unsigned 64-bit values; those named by `buffers` are still the body's addresses. */
  readonly args: readonly bigint[];
  readonly buffers: readonly BufferPlan[];
}

export type Plan =
  | ForwardPlan
  | { readonly kind: 'special'; readonly name: string }
  | { readonly kind: 'come-home'; readonly reason: string }
  | { readonly kind: 'fault' };

export interface BodyMemory {
  /** The bytes, which need stay valid only until the next read; undefined or fewer where memory ends. */
  read(address: number, length: number): Uint8Array | undefined;
}

/** A view of exactly `length` bytes at `address`, or undefined if any of them cannot be read. */
export function readStructure(memory: BodyMemory, address: bigint, length: number): DataView | undefined {
  const start = userAddress(address);
  const bytes = start === undefined ? undefined : memory.read(start, length);
  if (bytes === undefined || bytes.length < length) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset, length);
}

export const fault: Plan = { kind: 'fault' };

export function comeHome(reason: string): Plan {
  return { kind: 'come-home', reason };
}

/** MAX_RW_COUNT: the kernel never moves more in one call, so no plan does. */
export const largestTransfer = 0x7ffff000;

/** Largest buffer of a call that is not streamed, in bytes. Larger: come home. Only absurd calls get there. */
export const largestBuffer = 16 * 1024 * 1024;

/** PATH_MAX: strings are read to their NUL or to here. */
export const longestString = 4096;

const pageSize = 4096;

/** No user address reaches this on any supported kernel (arm64: 48 bits), and all below are exact as numbers. */
const endOfUserSpace = 2n ** 48n;

/** The address as a number, or undefined where no user memory can be. */
export function userAddress(argument: bigint): number | undefined {
  return argument < endOfUserSpace ? Number(argument) : undefined;
}

/** The low half as the kernel sees an int argument. */
export function asInt(argument: bigint): number {
  return Number(BigInt.asIntN(32, argument));
}

/** The low half as the kernel sees an unsigned int argument. */
export function asUnsigned(argument: bigint): number {
  return Number(BigInt.asUintN(32, argument));
}

/** A plan's buffer list, or why there is none. */
export type Buffers = { readonly ok: readonly BufferPlan[] } | { readonly failed: Plan };

/** The buffer of `kind` at argument `argument`; none for a null pointer or no bytes: home's kernel judges those by itself. */
export function planBuffer(
  kind: ArgumentKind,
  argument: number,
  call: { readonly args: readonly bigint[]; readonly memory: BodyMemory; readonly bulk: boolean },
): Buffers {
  if (kind.kind === 'value' || kind.kind === 'fd' || kind.kind === 'address' || call.args[argument] === 0n)
    return { ok: [] };
  const address = userAddress(call.args[argument]);
  if (address === undefined) return { failed: fault };
  const isString = kind.kind === 'path' || kind.kind === 'string';
  const length = isString ? stringLength(address, call.memory) : lengthOf(kind.length, call.args, call.memory);
  if (length === undefined) return { failed: fault };
  if (length === 0) return { ok: [] };
  if (!call.bulk && length > largestBuffer) return { failed: comeHome(`a buffer of ${length} bytes`) };
  const bounded = Math.min(length, largestTransfer);
  if (isString) return { ok: [{ argument, address, length: bounded, direction: 'string', filled: 'whole', unit: 1 }] };
  const filled = kind.kind === 'out' ? kind.filled : 'whole';
  return { ok: [{ argument, address, length: bounded, direction: kind.kind, filled, unit: unitOf(kind.length) }] };
}

/** Bytes up to and with the NUL, at most `longestString`; undefined if memory ends before. Reads page by page: the next may be unmapped. */
export function stringLength(address: number, memory: BodyMemory): number | undefined {
  let length = 0;
  while (length < longestString) {
    const step = Math.min(pageSize - ((address + length) % pageSize), longestString - length);
    const bytes = memory.read(address + length, step);
    if (bytes === undefined) return undefined;
    const end = bytes.indexOf(0);
    if (end >= 0) return length + end + 1;
    if (bytes.length < step) return undefined;
    length += step;
  }
  return length;
}

function lengthOf(rule: LengthRule, args: readonly bigint[], memory: BodyMemory): number | undefined {
  if ('bytes' in rule) return rule.bytes;
  if ('fdSetOf' in rule) return 8 * Math.ceil(Math.max(0, asInt(args[rule.fdSetOf])) / 64);
  if ('pointedBy' in rule) return pointedLength(args[rule.pointedBy], rule.max ?? Infinity, memory);
  const count = typedValue(args[rule.argument], rule.type ?? 'size');
  if (count < 0) return 0;
  return Math.min(count * rule.unit + (rule.plus ?? 0), rule.max ?? Infinity);
}

/** Without a length there is no buffer: the kernel answers a null length pointer with EFAULT and a negative one with EINVAL. */
function pointedLength(argument: bigint, max: number, memory: BodyMemory): number | undefined {
  if (argument === 0n) return 0;
  const length = readStructure(memory, argument, 4)?.getInt32(0, true);
  if (length === undefined) return undefined;
  return Math.min(Math.max(0, length), max);
}

/** A size beyond 2^53 loses bits here; it is cut to `largestTransfer` or refused anyway. */
function typedValue(argument: bigint, type: 'int' | 'uint' | 'size'): number {
  if (type === 'int') return asInt(argument);
  return type === 'uint' ? asUnsigned(argument) : Number(argument);
}

function unitOf(rule: LengthRule): number {
  return 'unit' in rule ? rule.unit : 1;
}
