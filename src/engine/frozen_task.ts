/** A task that was stopped to be captured. */
import type { StoppedTask } from '../sys/ptrace.ts';

export interface FrozenTask {
  task: StoppedTask;
  /** A signal that was about to be delivered when the task stopped; it is delivered after the move. */
  pendingSignal?: { signal: number; info: Uint8Array };
  /** How long the task had slept when it was stopped, milliseconds; undefined when it ran, or the kernel does not say. */
  waited?: number | undefined;
}

/** From a stop: at a signal-delivery stop the signal is kept. */
export function frozenTask(stop: StoppedTask): FrozenTask {
  if (stop.event !== 0) return { task: stop };
  return { task: stop, pendingSignal: { signal: stop.signal, info: stop.signalInfo() } };
}
