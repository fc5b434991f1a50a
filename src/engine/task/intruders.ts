/**
 * Signals that stop a borrowed task in the middle of our calls. All that can be blocked are; what remains is SIGSTOP, the
 * program's own SIGTRAP (which our breakpoint needs open), and faults from before. SIGSTOP acts where it shows
 * (sys/own_stops.ts), SIGTRAP is queued again afterwards.
 */
import { SIGSTOP } from '../../sys/own_stops.ts';
import { RunningTask, SIGTRAP, traceEvent, type StoppedTask } from '../../sys/ptrace.ts';

/** ILL, BUS, FPE, SEGV: pending even while they are blocked (dequeue_synchronous_signal in kernel/signal.c). */
const faults: ReadonlySet<number> = new Set([4, 7, 8, 11]);

export class Intruders {
  /** The siginfo of a SIGTRAP of the program's. There is one at most: it does not queue. */
  #trap: Uint8Array | undefined;

  /** Notes what stopped the task. @returns the signal to go on with. @throws Error for a stop that nobody expects */
  take(stop: StoppedTask): number {
    if (stop.event === traceEvent.stop) return 0; // left over from an earlier interrupt, or of a group stop
    if (stop.event === 0 && faults.has(stop.signal)) return 0; // the instruction will be repeated and fault again
    if (stop.event === 0 && stop.signal === SIGSTOP) return SIGSTOP;
    if (stop.event === 0 && stop.signal === SIGTRAP) this.#trap = stop.signalInfo();
    else
      throw new Error(
        `Cannot make calls in task ${stop.tid}: it stopped with signal ${stop.signal}, event ${stop.event}, at ${stop.registers().get('rip').toString(16)}`,
      );
    return 0;
  }

  get trap(): Uint8Array | undefined {
    return this.#trap;
  }

  /** Gives the SIGTRAP that was taken away: it is not put back. */
  takeTrap(): Uint8Array | undefined {
    const trap = this.#trap;
    this.#trap = undefined;
    return trap;
  }

  /**
   * Takes a task from a signal-delivery stop of SIGTRAP (or any other stop) to an event stop without executing an
   * instruction: if the tracer dies now, the task goes on by itself. The program's own SIGTRAP takes the place of the one
   * that is about to be delivered; blocked, it is put back into the task's queue (ptrace_signal in kernel/signal.c).
   */
  leave(task: StoppedTask, mask: bigint): void {
    const running = new RunningTask(task.tid);
    running.interrupt();
    if (this.#trap) {
      task.setSignalInfo(this.#trap);
      task.setSignalMask(~0n);
      task.resume(SIGTRAP);
    } else {
      task.setSignalMask(mask);
      task.resume();
    }
    const stop = running.waitStop();
    if (this.#trap) stop.setSignalMask(mask);
  }
}
