/**
 * Calls whose data is scattered over an array of `struct iovec`: each is made at home as its plain counterpart with one
 * buffer of several body segments. One write of the joined bytes is what the kernel makes of a vector too, so pipes
 * and datagrams see the same.
 */

import {
  asInt,
  comeHome,
  fault,
  largestTransfer,
  planBuffer,
  readStructure,
  userAddress,
  type BodyMemory,
  type BufferPlan,
  type Plan,
  type Segment,
} from './call_plan.ts';
import { numberOf } from './syscalls.ts';
import type { Architecture } from './syscall_numbers.ts';

interface VectorCall {
  readonly args: readonly bigint[];
  readonly memory: BodyMemory;
  readonly architecture: Architecture;
}

interface Shape {
  /** The call with one buffer, and with a position if the vector call has one. */
  readonly plain: 'read' | 'write' | 'pread64' | 'pwrite64';
  /** Argument of RWF_* flags. */
  readonly flags?: number;
}

const shapes: Readonly<Record<string, Shape>> = {
  readv: { plain: 'read' },
  writev: { plain: 'write' },
  preadv: { plain: 'pread64' },
  pwritev: { plain: 'pwrite64' },
  preadv2: { plain: 'pread64', flags: 5 },
  pwritev2: { plain: 'pwrite64', flags: 5 },
};

/** UIO_MAXIOV. */
const mostSegments = 1024;
const iovecSize = 16;
const msghdrSize = 56;
/** preadv2 and pwritev2 with this position use the file's own. */
const currentPosition = 2n ** 64n - 1n;

/** The plan of readv and its kin, or undefined if `name` is none of them. */
export function planVector(name: string, call: VectorCall): Plan | undefined {
  const shape = shapes[name];
  if (shape === undefined) return undefined;
  const { args, architecture } = call;
  if (shape.flags !== undefined && asInt(args[shape.flags]) !== 0) return comeHome(`${name} with flags`);
  const vector = readVector(args[1], args[2], call.memory);
  if ('failed' in vector) return vector.failed === 'fault' ? fault : refused(name, call);
  if (vector.length === 0) return empty(name, call);
  const direction = shape.plain === 'read' || shape.plain === 'pread64' ? 'out' : 'in';
  const positioned = shape.plain.startsWith('p') && !(shape.flags !== undefined && args[3] === currentPosition);
  const plain = positioned ? shape.plain : direction === 'out' ? 'read' : 'write';
  return {
    kind: 'forward',
    nr: numberOf(plain, architecture),
    args: [args[0], BigInt(vector.segments[0].address), BigInt(vector.length), positioned ? args[3] : 0n, 0n, 0n],
    buffers: [scattered(vector, direction)],
  };
}

/**
 * sendmsg without ancillary data is sendto. With it (descriptors, credentials) the control buffer would have to be
 * pointed to from inside another buffer: come home.
 */
export function planSendMessage(call: VectorCall): Plan {
  const { args, memory, architecture } = call;
  const header = readStructure(memory, args[1], msghdrSize);
  if (header === undefined) return fault;
  const name = header.getBigUint64(0, true);
  const nameLength = header.getInt32(8, true);
  const [base, count] = [header.getBigUint64(16, true), header.getBigUint64(24, true)];
  const [control, controlLength] = [header.getBigUint64(32, true), header.getBigUint64(40, true)];
  if (control !== 0n && controlLength !== 0n) return comeHome('sendmsg with ancillary data');
  // The kernel cuts a longer name to sockaddr_storage in sendmsg, where sendto refuses it.
  if (nameLength < 0 || nameLength > 128) return comeHome('sendmsg with an odd address');
  const vector = readVector(base, count, memory);
  if ('failed' in vector) return vector.failed === 'fault' ? fault : comeHome('sendmsg with a bad vector');
  const sent = [
    args[0],
    BigInt(vector.segments[0]?.address ?? 0),
    BigInt(vector.length),
    args[2],
    name,
    name === 0n ? 0n : BigInt(nameLength),
  ];
  const target = planBuffer({ kind: 'in', length: { argument: 5, unit: 1, type: 'int' } }, 4, {
    args: sent,
    memory,
    bulk: false,
  });
  if ('failed' in target) return target.failed;
  const data = vector.length === 0 ? [] : [scattered(vector, 'in')];
  return { kind: 'forward', nr: numberOf('sendto', architecture), args: sent, buffers: [...data, ...target.ok] };
}

type Vector =
  | { readonly segments: readonly Segment[]; readonly length: number }
  | { readonly failed: 'fault' | 'invalid' };

/** The segments that hold bytes, cut to what one call may move. As in the kernel, one negative length spoils them all. */
function readVector(base: bigint, count: bigint, memory: BodyMemory): Vector {
  if (count > BigInt(mostSegments)) return { failed: 'invalid' };
  if (count === 0n) return { segments: [], length: 0 };
  const view = readStructure(memory, base, Number(count) * iovecSize);
  if (view === undefined) return { failed: 'fault' };
  const segments: Segment[] = [];
  let length = 0;
  for (let i = 0; i < Number(count); i++) {
    const size = view.getBigInt64(i * iovecSize + 8, true);
    if (size < 0n) return { failed: 'invalid' };
    const step = Math.min(Number(size), largestTransfer - length);
    if (step === 0) continue;
    const start = userAddress(view.getBigUint64(i * iovecSize, true));
    if (start === undefined) return { failed: 'fault' };
    segments.push({ address: start, length: step });
    length += step;
  }
  return { segments, length };
}

function scattered(
  vector: { readonly segments: readonly Segment[]; readonly length: number },
  direction: 'in' | 'out',
): BufferPlan {
  const { segments, length } = vector;
  const filled = direction === 'out' ? 'result' : 'whole';
  const plan = { argument: 1, address: segments[0].address, length, direction, filled, unit: 1 } as const;
  return segments.length === 1 ? plan : { ...plan, segments };
}

/** No bytes: the vector call itself, with no vector, checks the descriptor and returns 0 (write of 0 bytes would send a datagram). */
function empty(name: string, { args, architecture }: VectorCall): Plan {
  return {
    kind: 'forward',
    nr: numberOf(name, architecture),
    args: [args[0], 0n, 0n, args[3], args[4], args[5]],
    buffers: [],
  };
}

/** Too many segments or a negative length: home's kernel is given a vector of too many, and says EBADF or EINVAL as it should. */
function refused(name: string, { args, architecture }: VectorCall): Plan {
  const tooMany = BigInt(mostSegments + 1);
  return {
    kind: 'forward',
    nr: numberOf(name, architecture),
    args: [args[0], 0n, tooMany, args[3], args[4], args[5]],
    buffers: [],
  };
}
