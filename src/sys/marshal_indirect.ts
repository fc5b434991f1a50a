/** Calls that take a structure with one pointer in it: the structure is made anew, and what it points to is a buffer of its own. */

import {
  badAddress,
  largestBuffer,
  noArgument,
  comeHome,
  planBuffer,
  readStructure,
  userAddress,
  type BufferPlan,
  type Plan,
} from './call_plan.ts';
import type { VectorCall } from './marshal_vectors.ts';

interface Behind {
  /** Argument that points to the structure. */
  readonly argument: number;
  readonly structure: DataView;
  /** Where in it the pointer is. */
  readonly offset: number;
  /** Bytes behind the pointer; undefined if the kernel does not look there. */
  readonly length: number | undefined;
  readonly way: Pick<BufferPlan, 'direction' | 'filled'>;
  /** Which parts of the structure itself the kernel writes. */
  readonly written?: readonly { readonly offset: number; readonly length: number }[];
}

/** The call with the structure and what is behind its pointer; the other arguments as the table says. */
function planBehind(call: VectorCall, behind: Behind): Plan {
  const { description, memory } = call;
  const { argument, structure, offset, length, written } = behind;
  const args = [...call.args];
  const others: BufferPlan[] = [];
  for (const [index, kind] of description.arguments.entries()) {
    if (index === argument) continue;
    const planned = planBuffer(kind, index, { args: call.args, memory, bulk: false });
    if ('home' in planned) return comeHome(`${description.name} with ${planned.home}`);
    if ('bad' in planned) args[index] = badAddress;
    else others.push(...planned.ok);
  }
  if (length !== undefined && length > largestBuffer) return comeHome(`${description.name} with ${length} bytes`);
  const contents = new Uint8Array(
    structure.buffer.slice(structure.byteOffset, structure.byteOffset + structure.byteLength),
  );
  const view = new DataView(contents.buffer);
  const pointer = view.getBigUint64(offset, true);
  const target = userAddress(pointer);
  const followed = pointer !== 0n && length !== undefined && length > 0;
  if (followed) view.setBigUint64(offset, target === undefined ? badAddress : 0n, true);
  const holder: BufferPlan = {
    argument,
    address: 0,
    length: contents.length,
    direction: written ? 'inout' : 'in',
    filled: written ? 'success' : 'whole',
    unit: 1,
    contents,
    ...(written && { back: written.map((part) => ({ ...part, address: Number(call.args[argument]) + part.offset })) }),
  };
  const base = { kind: 'forward', nr: description.nr, args } as const;
  if (!followed || target === undefined) return { ...base, buffers: [holder, ...others] };
  const data: BufferPlan = { argument: noArgument, address: target, length, unit: 1, ...behind.way };
  return {
    ...base,
    buffers: [holder, data, ...others],
    pointers: [{ holder: 0, target: 1, offset, stride: 8, count: 1 }],
  };
}

const read = { direction: 'in', filled: 'whole' } as const;

/** The call with a structure that cannot be read: home's kernel says what that means. */
function unreadable({ description, args }: VectorCall, argument: number): Plan {
  return { kind: 'forward', nr: description.nr, args: args.with(argument, badAddress), buffers: [] };
}

/** struct sock_fprog: u16 count, and a pointer to so many 8-byte instructions. */
export function planSocketFilter(call: VectorCall): Plan {
  const program = readStructure(call.memory, call.args[3], 16);
  if (program === undefined) return unreadable(call, 3);
  return planBehind(call, {
    argument: 3,
    structure: program,
    offset: 8,
    length: program.getUint16(0, true) * 8,
    way: read,
  });
}

/** SIGEV_THREAD: the value of the event points to a cookie of 32 bytes (NOTIFY_COOKIE_LEN). */
export function planQueueNotify(call: VectorCall): Plan {
  const SIGEV_THREAD = 2;
  const base = { kind: 'forward', nr: call.description.nr, args: call.args, buffers: [] } as const;
  if (call.args[1] === 0n) return base;
  const event = readStructure(call.memory, call.args[1], 64);
  if (event === undefined) return unreadable(call, 1);
  const length = event.getInt32(12, true) === SIGEV_THREAD ? 32 : undefined;
  return planBehind(call, { argument: 1, structure: event, offset: 0, length, way: read });
}

/** struct ifconf: int length, and a pointer to so many bytes of struct ifreq; without a pointer the kernel counts only. */
export function planInterfaceList(call: VectorCall): Plan {
  const list = readStructure(call.memory, call.args[2], 16);
  if (list === undefined) return unreadable(call, 2);
  const length = Math.max(0, list.getInt32(0, true));
  return planBehind(call, {
    argument: 2,
    structure: list,
    offset: 8,
    length,
    way: { direction: 'inout', filled: 'success' },
    written: [{ offset: 0, length: 4 }],
  });
}

/** struct xattr_args: a pointer to the value, u32 size, u32 flags. setxattrat reads the value, getxattrat writes it. */
export function planAttribute(call: VectorCall): Plan {
  const longest = 65536;
  const size = Number(call.args[5]);
  const known = size === 16 ? readStructure(call.memory, call.args[4], size) : undefined;
  if (size !== 16) return comeHome(`${call.description.name} with ${size} bytes of arguments`);
  if (known === undefined) return unreadable(call, 4);
  const reads = call.description.name === 'getxattrat';
  const length = known.getUint32(8, true);
  if (reads) {
    const way = { direction: 'out', filled: 'result' } as const;
    return planBehind(call, { argument: 4, structure: known, offset: 0, length: Math.min(length, longest), way });
  }
  return planBehind(call, {
    argument: 4,
    structure: known,
    offset: 0,
    length: length > longest ? undefined : length,
    way: read,
  });
}
