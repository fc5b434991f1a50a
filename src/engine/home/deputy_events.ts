/** What a deputy tells about its process to whoever has it. */
import type { StoppedTask, TaskStatus } from '../../sys/ptrace.ts';

export interface DeputyEvents {
  /** The same of a lodger. */
  lodgerExecuted(stop: StoppedTask): void;
  /** Another program was executed: it has just been loaded and has not run yet. */
  executed(stop: StoppedTask): void;
  /** The process has ended at home. */
  ended(status: TaskStatus): void;
  /** Whether a call that writes through a descriptor must be made where the program is at home. */
  touchesLive(fd: number): boolean;
}
