/**
 * Calls whose data is scattered over an array of `struct iovec`. The data is one buffer of several body segments, and a
 * vector of the same lengths, made anew, leads into it. A vector of one piece is made as its plain counterpart.
 */

import {
  asInt,
  badAddress,
  largestTransfer,
  noArgument,
  readStructure,
  userAddress,
  type BodyMemory,
  type BufferPlan,
  type Plan,
  type Segment,
} from './call_plan.ts';
import { numberOf, type SyscallDescription } from './syscalls.ts';
import type { Architecture } from './syscall_numbers.ts';

export interface VectorCall {
  readonly description: SyscallDescription;
  readonly args: readonly bigint[];
  readonly memory: BodyMemory;
  readonly architecture: Architecture;
}

interface Shape {
  readonly direction: 'in' | 'out';
  /** The call with one buffer, if there is one, and with a position if the vector call has one. */
  readonly plain?: 'read' | 'write' | 'pread64' | 'pwrite64';
  /** Argument of flags that the plain call lacks. */
  readonly flags?: number;
  /** The kernel keeps using the pages. */
  readonly ownMemory?: true;
}

const shapes: Readonly<Record<string, Shape>> = {
  readv: { direction: 'out', plain: 'read' },
  writev: { direction: 'in', plain: 'write' },
  preadv: { direction: 'out', plain: 'pread64' },
  pwritev: { direction: 'in', plain: 'pwrite64' },
  preadv2: { direction: 'out', flags: 5 },
  pwritev2: { direction: 'in', flags: 5 },
};

/** vmsplice fills or empties a pipe, as its descriptor was opened; what it fills the pipe with are the pages themselves. */
export function planPages(call: VectorCall, direction: 'in' | 'out'): Plan {
  return scattered(call, direction === 'in' ? { direction, ownMemory: true } : { direction });
}

/** UIO_MAXIOV. */
export const mostSegments = 1024;
export const iovecSize = 16;

/** The plan of readv and its kin. */
export function planVector(call: VectorCall): Plan {
  return scattered(call, shapes[call.description.name]);
}

function scattered(call: VectorCall, shape: Shape): Plan {
  const { description, args } = call;
  const vector = readVector(args[1], args[2], call.memory);
  if ('bad' in vector) return withVector(call, badAddress);
  if ('refused' in vector) return withVector(call, 0n, BigInt(mostSegments + 1));
  const { pieces, segments, length } = vector;
  if (pieces.length === 0) return withVector(call, args[1]);
  if (shape.plain !== undefined && pieces.length === 1 && segments.length === 1)
    return plainCall(call, shape.plain, segments[0]);
  const { direction } = shape;
  const filled = direction === 'out' ? 'result' : 'whole';
  const data: BufferPlan = {
    argument: noArgument,
    address: segments[0]?.address ?? 0,
    length,
    direction,
    filled,
    unit: 1,
    segments,
  };
  return {
    kind: 'forward',
    nr: description.nr,
    args: args.with(2, BigInt(pieces.length)),
    buffers: [vectorBuffer(pieces, 1), data],
    pointers: [{ holder: 0, target: 1, offset: 0, stride: iovecSize, count: pieces.length }],
    ...(shape.ownMemory && { ownMemory: true }),
  };
}

function plainCall(call: VectorCall, plain: NonNullable<Shape['plain']>, segment: Segment): Plan {
  const { args, architecture } = call;
  const direction = plain === 'read' || plain === 'pread64' ? 'out' : 'in';
  const filled = direction === 'out' ? 'result' : 'whole';
  const { address, length } = segment;
  return {
    kind: 'forward',
    nr: numberOf(plain, architecture),
    args: [args[0], BigInt(address), BigInt(length), plain.startsWith('p') ? args[3] : 0n, 0n, 0n],
    buffers: [{ argument: 1, address, length, direction, filled, unit: 1 }],
  };
}

/** The call without data, for home's kernel to refuse. */
function withVector({ description, args }: VectorCall, vector: bigint, count = args[2]): Plan {
  return { kind: 'forward', nr: description.nr, args: args.with(1, vector).with(2, count), buffers: [] };
}

/** A vector for pieces that lie one behind the other in one buffer; its pointers are distances in that buffer. */
export function vectorBuffer(pieces: readonly number[], argument: number): BufferPlan {
  const contents = new Uint8Array(pieces.length * iovecSize);
  const view = new DataView(contents.buffer);
  let at = 0;
  pieces.forEach((length, i) => {
    view.setBigUint64(i * iovecSize, BigInt(at), true);
    view.setBigUint64(i * iovecSize + 8, BigInt(length), true);
    at += length;
  });
  return { argument, address: 0, length: contents.length, direction: 'in', filled: 'whole', unit: 1, contents };
}

/** `pieces` are all lengths, `segments` those that hold bytes; both are cut to what one call may move. */
export type Vector =
  | { readonly pieces: readonly number[]; readonly segments: readonly Segment[]; readonly length: number }
  /** EFAULT. */
  | { readonly bad: true }
  /** EINVAL. */
  | { readonly refused: true };

/** As in the kernel (import_iovec), the first piece that is not valid spoils them all. */
export function readVector(base: bigint, count: bigint, memory: BodyMemory): Vector {
  if (count > BigInt(mostSegments)) return { refused: true };
  if (count === 0n) return { pieces: [], segments: [], length: 0 };
  const view = readStructure(memory, base, Number(count) * iovecSize);
  if (view === undefined) return { bad: true };
  const pieces: number[] = [];
  const segments: Segment[] = [];
  let length = 0;
  for (let i = 0; i < Number(count); i++) {
    const size = view.getBigInt64(i * iovecSize + 8, true);
    if (size < 0n) return { refused: true };
    const start = userAddress(view.getBigUint64(i * iovecSize, true));
    if (start === undefined) return { bad: true };
    const step = Math.min(Number(size), largestTransfer - length);
    pieces.push(step);
    if (step > 0) segments.push({ address: start, length: step });
    length += step;
  }
  return { pieces, segments, length };
}

/** Whether `flags` of a message say MSG_ZEROCOPY: the kernel sends from the pages after the call. */
export function keepsPages(flags: bigint): boolean {
  const MSG_ZEROCOPY = 0x4000000;
  return (asInt(flags) & MSG_ZEROCOPY) !== 0;
}
