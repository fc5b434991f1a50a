/**
 * What marshalling decides about one trapped call: the types, and the buffers' arithmetic shared by marshal.ts and
 * marshal_vectors.ts. Nothing here touches Linux; a body's memory comes in as `BodyMemory`.
 */

import type { ArgumentKind, LengthRule } from './syscalls.ts';

/**
 * One buffer of a forwarded call: `length` bytes of bounce memory at home, whose address replaces its argument.
 *
 * - `in`, `string`: read from the body before the call.
 * - `out`: written to the body after the call.
 * - `inout`: read before, and written back after the call whether or not it succeeded (nanosleep reports the rest with EINTR).
 *
 * How much is written to the body:
 * - `whole`: all; of an `out` buffer nothing if the call failed.
 * - `result`: min(length, result x unit + plus) bytes, nothing if the call failed.
 * - `success`: all, nothing if the call failed.
 * - `element`: the call counts what it did, and this is for number `unit`: all of it if there was one.
 * - `counted`: as element, but as many bytes as the u32 in another buffer says.
 *
 * With `segments` the bytes are scattered in the body, in that order, `length` in all; `address` is the first segment's.
 * A `string` has its NUL as the last byte, unless it is 4096 bytes long: then it may have none, and home's kernel says ENAMETOOLONG.
 */
export interface BufferPlan {
  /** The argument that points to it, or `noArgument`: pointers in other buffers do. */
  readonly argument: number;
  readonly address: number;
  readonly length: number;
  readonly direction: 'in' | 'out' | 'inout' | 'string';
  readonly filled: 'whole' | 'result' | 'success' | 'element' | 'counted';
  readonly unit: number;
  readonly plus?: number;
  readonly counted?: { readonly buffer: number; readonly at: number };
  readonly segments?: readonly Segment[];
  /** What goes in, instead of what is in the body: a structure with pointers is made anew. */
  readonly contents?: Uint8Array;
  /** Which parts of it are written to the body, and where. By default all, to where it came from. */
  readonly back?: readonly Part[];
}

export interface Segment {
  readonly address: number;
  readonly length: number;
}

/** A part of a buffer, `offset` bytes from its start. */
export interface Part extends Segment {
  readonly offset: number;
}

/**
 * `count` pointers in buffer `holder`, at `offset` and then every `stride` bytes, which lead into buffer `target`. The
 * holder's `contents` have the distance from the target's start there.
 */
export interface PointerPlan {
  readonly holder: number;
  readonly target: number;
  readonly offset: number;
  readonly stride: number;
  readonly count: number;
}

/** A call to be made at home. `nr` may differ from the trapped one (a vector of one piece is a plain read). */
export interface ForwardPlan {
  readonly kind: 'forward';
  readonly nr: number;
  /** As unsigned 64-bit values; those named by `buffers` are still the body's addresses. */
  readonly args: readonly bigint[];
  readonly buffers: readonly BufferPlan[];
  readonly pointers?: readonly PointerPlan[];
  /** The kernel uses the memory also after the call: nothing else may ever be put there. */
  readonly ownMemory?: true;
}

export type Plan =
  | ForwardPlan
  | { readonly kind: 'special'; readonly name: string }
  | { readonly kind: 'come-home'; readonly reason: string };

/** `argument` of a buffer that no argument points to. */
export const noArgument = 255;

/** Where no program has memory (mmap_min_addr): a pointer that is bad in the body is bad at home. */
export const badAddress = 1n;

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

/**
 * What an argument is: buffers (none for a null pointer or no bytes: home's kernel judges those by itself), `bad` where
 * nothing can be, or a reason to come home.
 */
export type Planned = { readonly ok: readonly BufferPlan[] } | { readonly bad: true } | { readonly home: string };

const bad: Planned = { bad: true };

export function planBuffer(
  kind: ArgumentKind,
  argument: number,
  call: { readonly args: readonly bigint[]; readonly memory: BodyMemory; readonly bulk: boolean },
): Planned {
  if (kind.kind === 'value' || kind.kind === 'fd' || kind.kind === 'address' || call.args[argument] === 0n)
    return { ok: [] };
  const address = userAddress(call.args[argument]);
  if (address === undefined) return bad;
  if (kind.kind === 'path' || kind.kind === 'string') {
    const length = stringLength(address, call.memory);
    return length === undefined
      ? bad
      : { ok: [{ argument, address, length, direction: 'string', filled: 'whole', unit: 1 }] };
  }
  const wanted = lengthOf(kind.length, address, call);
  if (wanted === undefined) return bad;
  const refused = wanted > refusedOf(kind.length);
  const length = refused ? lookedAt(kind.length) : wanted;
  if (refused && length === 0) return bad;
  if (length === 0) return { ok: [] };
  if (!call.bulk && length > largestBuffer) return { home: `a buffer of ${length} bytes` };
  const bounded = Math.min(length, largestTransfer);
  const filled = kind.kind === 'out' ? kind.filled : 'whole';
  const plan = { argument, address, length: bounded, direction: kind.kind, filled, unit: unitOf(kind.length) } as const;
  const plus = filled === 'result' && 'plus' in kind.length ? kind.length.plus : undefined;
  return { ok: [plus === undefined ? plan : { ...plan, plus }] };
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

function lengthOf(
  rule: LengthRule,
  address: number,
  { args, memory }: { readonly args: readonly bigint[]; readonly memory: BodyMemory },
): number | undefined {
  if ('bytes' in rule) return rule.bytes;
  if ('fdSetOf' in rule) return 8 * Math.ceil(Math.max(0, asInt(args[rule.fdSetOf])) / 64);
  if ('pointedBy' in rule) return pointedLength(args[rule.pointedBy], rule.max ?? Infinity, memory);
  if ('countAt' in rule) {
    const count = readStructure(memory, BigInt(address + rule.countAt), 4)?.getUint32(0, true);
    return count === undefined ? undefined : Math.max(count * rule.unit + rule.plus, rule.least ?? 0);
  }
  const count = typedValue(args[rule.argument], rule.type ?? 'size');
  if (count < 0) return 0;
  return Math.min(count * rule.unit + (rule.plus ?? 0), rule.max ?? Infinity);
}

function refusedOf(rule: LengthRule): number {
  return ('refused' in rule ? rule.refused : undefined) ?? Infinity;
}

/** What the kernel reads before it refuses a buffer that is too long. */
function lookedAt(rule: LengthRule): number {
  if ('countAt' in rule) return Math.max(rule.plus, rule.least ?? 0);
  return 'plus' in rule ? (rule.plus ?? 0) : 0;
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
