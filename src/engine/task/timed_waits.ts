/** Calls that wait for a limited time: where each of them keeps its time-out. See docs/internals/time.md. */
import { peek, poke } from '../../sys/remote_memory.ts';
import { nameOf } from '../../sys/syscalls.ts';

/** Where a call keeps how long it waits, from its beginning on. */
export type Timeout =
  /** An int argument in milliseconds. */
  | { readonly kind: 'milliseconds'; readonly argument: number; readonly milliseconds: number }
  /** An argument points to a struct timespec. */
  | { readonly kind: 'timespec'; readonly argument: number }
  /** As well, or to a struct timeval (`fraction`: nanoseconds in the second word's unit); the kernel writes back the rest when it is interrupted. */
  | { readonly kind: 'counted'; readonly argument: number; readonly fraction: 1 | 1000 }
  /** The socket behind argument 0 has an option for it (SO_RCVTIMEO, SO_SNDTIMEO; socket(7)). */
  | { readonly kind: 'socket'; readonly option: number };

export const socketOption = { SO_RCVTIMEO: 20, SO_SNDTIMEO: 21 } as const;
const receiving = new Set(['read', 'readv', 'recvfrom', 'recvmsg', 'recvmmsg', 'accept', 'accept4']);
const sending = new Set(['write', 'writev', 'sendto', 'sendmsg', 'sendmmsg', 'connect']);

/** The argument that holds milliseconds, the timespec, the timespec or timeval that is counted down. */
const millisecondArguments = new Map([
  ['poll', 2],
  ['epoll_wait', 3],
  ['epoll_pwait', 3],
]);
const timespecArguments = new Map([
  ['epoll_pwait2', 3],
  ['rt_sigtimedwait', 2],
  ['semtimedop', 3],
  ['futex', 3],
  ['nanosleep', 0],
  ['clock_nanosleep', 2],
]);
const countedArguments = new Map<string, readonly [argument: number, fraction: 1 | 1000]>([
  ['ppoll', [2, 1]],
  ['pselect6', [4, 1]],
  ['select', [4, 1000]],
]);

/** Where the call keeps its time-out; undefined when it waits for ever, until a point in time, or not at all. */
export function timeoutOf(number: number, args: readonly bigint[]): Timeout | undefined {
  const name = nameOf(number);
  if (receiving.has(name)) return { kind: 'socket', option: socketOption.SO_RCVTIMEO };
  if (sending.has(name)) return { kind: 'socket', option: socketOption.SO_SNDTIMEO };
  const direct = millisecondArguments.get(name);
  if (direct !== undefined) {
    const value = Number(BigInt.asIntN(32, args[direct]));
    return value < 0 ? undefined : { kind: 'milliseconds', argument: direct, milliseconds: value };
  }
  const pair = countedArguments.get(name);
  if (pair) return args[pair[0]] === 0n ? undefined : { kind: 'counted', argument: pair[0], fraction: pair[1] };
  const pointer = timespecArguments.get(name);
  if (pointer === undefined || args[pointer] === 0n || isAbsolute(name, args)) return undefined;
  // An interrupted sleep writes what is left to the address that follows, which may be the same.
  const writesBack = name === 'nanosleep' || name === 'clock_nanosleep';
  if (writesBack && args[pointer] === args[pointer + 1]) return { kind: 'counted', argument: pointer, fraction: 1 };
  return { kind: 'timespec', argument: pointer };
}

/** A point in time stays what it is. futex(2): only FUTEX_WAIT (0) counts from now; clock_nanosleep(2): TIMER_ABSTIME. */
function isAbsolute(name: string, args: readonly bigint[]): boolean {
  const commandBits = 127n; // without FUTEX_PRIVATE_FLAG and FUTEX_CLOCK_REALTIME
  return (
    (name === 'futex' && (args[1] & commandBits) !== 0n) || (name === 'clock_nanosleep' && (args[1] & 1n) !== 0n) // TIMER_ABSTIME
  );
}

const second = 1_000_000_000n;
export const timeStructSize = 16;

/** Nanoseconds in a struct timespec or timeval. */
export function readTime(bytes: Uint8Array, fraction: 1 | 1000 = 1): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return view.getBigInt64(0, true) * second + view.getBigInt64(8, true) * BigInt(fraction);
}

/** The struct for so many nanoseconds, none when negative, rounded up. */
export function timeStruct(nanoseconds: bigint, fraction: 1 | 1000 = 1): Uint8Array {
  const unit = BigInt(fraction);
  const units = nanoseconds > 0n ? (nanoseconds + unit - 1n) / unit : 0n;
  const view = new DataView(new ArrayBuffer(timeStructSize));
  view.setBigInt64(0, units / (second / unit), true);
  view.setBigInt64(8, units % (second / unit), true);
  return new Uint8Array(view.buffer);
}

/** What is left of so many milliseconds, rounded up. */
export function millisecondsLeft(milliseconds: number, elapsed: bigint): number {
  return Math.max(0, Math.ceil(milliseconds - Number(elapsed) / 1e6));
}

/** The struct timespec or timeval at an address; undefined where it cannot be read. */
export function readTimeAt(tid: number, address: number, fraction: 1 | 1000 = 1): bigint | undefined {
  const bytes = peek(tid, address, timeStructSize);
  return bytes.length < timeStructSize ? undefined : readTime(bytes, fraction);
}

/** @returns false where it cannot be written */
export function writeTimeAt(tid: number, address: number, nanoseconds: bigint, fraction: 1 | 1000 = 1): boolean {
  try {
    poke(tid, address, timeStruct(nanoseconds, fraction));
    return true;
  } catch {
    return false;
  }
}

/** Where a call that begins has its time counted down, and that time; undefined when it has none, or not there. */
export function countedTime(
  tid: number,
  number: number,
  args: readonly bigint[],
): { address: number; fraction: 1 | 1000; rest: bigint } | undefined {
  const timeout = timeoutOf(number, args);
  if (timeout?.kind !== 'counted') return undefined;
  const { fraction } = timeout;
  const address = Number(args[timeout.argument]);
  const rest = readTimeAt(tid, address, fraction);
  return rest === undefined ? undefined : { address, fraction, rest };
}
