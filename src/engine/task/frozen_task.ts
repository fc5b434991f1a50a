/** A task that was stopped to be captured. */
import type { StoppedTask } from '../../sys/ptrace.ts';

export interface FrozenTask {
  task: StoppedTask;
  /** A signal that was about to be delivered when the task stopped; it is delivered after the move. */
  pendingSignal?: { signal: number; info: Uint8Array };
  /** When the task began to sleep in the call that it was stopped in, on CLOCK_MONOTONIC; at the latest when it stopped. */
  since?: bigint | undefined;
  /** The call that it had gone on with by restart_syscall(2) when it was stopped; 0: it was in a call of its own. */
  restartOf?: number;
  /** `since` is right also for a call that had gone on by restart_syscall(2): its whole wait was seen. */
  beginKnown?: boolean;
  /** How much the call had written before that it was going on with; see partial_writes.ts. */
  written?: number;
}

/** From a stop: at a signal-delivery stop the signal is kept. */
export function frozenTask(stop: StoppedTask): FrozenTask {
  if (stop.event !== 0) return { task: stop };
  return { task: stop, pendingSignal: { signal: stop.signal, info: stop.signalInfo() } };
}
