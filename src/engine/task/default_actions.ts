/** Default actions of signals; signal(7). */
import { signalSets } from '../../sys/procfs.ts';

export const SIGCONT = 18;

/** The process stops. */
export const stopSignals: ReadonlySet<number> = new Set([19, 20, 21, 22]);
/** The process ends with a core dump. */
export const coreSignals: ReadonlySet<number> = new Set([3, 4, 5, 6, 7, 8, 11, 24, 25, 31]);
/** Nothing happens. */
export const ignoredByDefault: ReadonlySet<number> = new Set([17, 18, 23, 28]);

/** Whether a process neither catches nor ignores a signal. */
export function actsByDefault(tid: number, signal: number): boolean {
  const { caught, ignored } = signalSets(tid);
  return ((caught | ignored) & (1n << BigInt(signal - 1))) === 0n;
}
