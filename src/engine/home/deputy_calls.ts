/** What a deputy's thread is made to do for the engine. */
import { nr } from '../../sys/x64/numbers.ts';
import { mirroredAction, recorderAction } from './recorder.ts';
import type { Injection, Stub } from '../task/stub.ts';

const MADV_DONTNEED = 4;
const MADV_DONTNEED_LOCKED = 24;

/** Empties ranges. @returns bytes of those that let themselves be emptied */
export function adviseAway(session: Injection, ranges: readonly { start: number; end: number }[]): number {
  let bytes = 0;
  for (const { start, end } of ranges) {
    const advise = (how: number): number => session.run([[nr.madvise, start, end - start, how]])[0];
    if (advise(MADV_DONTNEED_LOCKED) < 0 && advise(MADV_DONTNEED) < 0) continue;
    bytes += end - start;
  }
  return bytes;
}

/** Sends a signal to the process with its default action in force; it acts when the mask lets it. */
export function dieOf(stub: Stub, session: Injection, pid: number, signal: number): void {
  stub.writeAction(0, recorderAction(stub, 0n, 0n));
  session.run([
    [nr.rt_sigaction, signal, stub.scratchAddress(0), 0, 8],
    [nr.kill, pid, signal],
  ]);
}

/** Calls that change a file through a descriptor, by number (asm/unistd_64.h), with the place of the descriptor. */
const writers: ReadonlyMap<number, number> = new Map([
  [1, 0], // write
  [18, 0], // pwrite64
  [20, 0], // writev
  [40, 0], // sendfile
  [77, 0], // ftruncate
  [275, 2], // splice
  [285, 0], // fallocate
  [296, 0], // pwritev
  [326, 2], // copy_file_range
  [328, 0], // pwritev2
]);

/** Descriptors through which a call changes a file. */
export function descriptorsWritten(number: number, args: readonly bigint[]): number[] {
  const place = writers.get(number);
  return place === undefined ? [] : [Number(BigInt.asIntN(32, args[place]))];
}

/** Sets an action that the home kernel itself acts on. @returns the call's result */
export function setMirrored(stub: Stub, session: Injection, signal: number, action: Uint8Array): number {
  stub.writeAction(0, mirroredAction(stub, signal, action));
  return session.run([[nr.rt_sigaction, signal, stub.scratchAddress(0), 0, 8]])[0];
}
