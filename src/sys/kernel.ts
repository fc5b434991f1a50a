/** The one door to Linux for other layers: raw calls and their helpers (see gate.ts for the mechanism). */
import { call, callWide } from './gate.ts';
import { must } from './errors.ts';
import { nr } from './x64/numbers.ts';

/** What other layers may ask of the kernel; another foreign-function interface can replace it. */
export interface Kernel {
  /** Makes a system call; arguments are exact integers below 2^53. @returns result or -errno */
  call(nr: number, a?: number, b?: number, c?: number, d?: number, e?: number, f?: number): number;
  /** As `call`, with 64-bit arguments. */
  callWide(nr: number, args: readonly bigint[]): number;
}

export const kernel: Kernel = { call, callWide };

/** Checks once at start that the gate works on this machine. @throws Error that says what differs */
export function selfTest(): void {
  const pid = must(call(nr.getpid), 'getpid');
  if (pid !== process.pid)
    throw new Error(`Cannot use the system-call gate: getpid gave ${pid}, expected ${process.pid}`);
  const bad = call(nr.close, -1);
  if (bad !== -9) throw new Error(`Cannot use the system-call gate: close(-1) gave ${bad}, expected -9 (EBADF)`);
  const address = callWide(nr.brk, [0n]);
  if (address <= 0) throw new Error(`Cannot use the system-call gate: brk(0) gave ${address}`);
}
