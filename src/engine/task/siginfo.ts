/** What a siginfo tells (asm-generic/siginfo.h): the signal is its first word, the code its third. */
import { SIGTRAP } from '../../sys/ptrace.ts';

const SI_QUEUE = -1;
const SI_TIMER = -2;
const SI_TKILL = -6;
/** Signals that an instruction raises by faulting: ILL, BUS, FPE, SEGV. */
const faultSignals: ReadonlySet<number> = new Set([4, 7, 8, 11]);

export function signalOf(info: Uint8Array): number {
  return new DataView(info.buffer, info.byteOffset).getInt32(0, true);
}

export function codeOf(info: Uint8Array): number {
  return new DataView(info.buffer, info.byteOffset).getInt32(8, true);
}

/**
 * A fault of the program's own code: codes above 0 come from the kernel. It does not travel: the instruction is executed
 * again after the move, and faults again. Queued beforehand it would be a second signal, delivered with the handler of
 * the first already begun.
 */
export function isFault(pending: { signal: number; info: Uint8Array }): boolean {
  return faultSignals.has(pending.signal) && codeOf(pending.info) > 0;
}

/** A breakpoint instruction of the program's own. It has been executed: the signal does travel. */
export function isBreakpoint(info: Uint8Array): boolean {
  return signalOf(info) === SIGTRAP && codeOf(info) > 0;
}

/** TRAP_BRKPT, TRAP_TRACE, TRAP_HWBKPT: steps and breakpoints of a tracer, which no other process can send. */
export function isTrace(pending: { signal: number; info: Uint8Array }): boolean {
  return pending.signal === SIGTRAP && [1, 2, 4].includes(codeOf(pending.info));
}

export function wasTgkill(info: Uint8Array): boolean {
  return codeOf(info) === SI_TKILL;
}

/**
 * Whether a signal that was about to be delivered to a thread came from the thread's queue and not from the process's:
 * that is no longer known. tgkill(2) names a thread. With sigqueue(3) and timers both can be: a signal to the process goes
 * to the main thread before all others (complete_signal in kernel/signal.c), so what another thread gets is its own.
 */
export function isForThread(info: Uint8Array, main: boolean): boolean {
  const code = codeOf(info);
  return code === SI_TKILL || isBreakpoint(info) || (!main && (code === SI_QUEUE || code === SI_TIMER));
}

/** The POSIX timer that sent a signal (si_timerid) and its overruns; undefined when no timer did. */
export function timerOf(info: Uint8Array): { id: number; overruns: number } | undefined {
  if (codeOf(info) !== SI_TIMER) return undefined;
  const view = new DataView(info.buffer, info.byteOffset);
  return { id: view.getInt32(16, true), overruns: view.getInt32(20, true) };
}
