/**
 * Signals that stop a borrowed task in the middle of our calls. All that can be blocked are; what remains is SIGSTOP, the
 * program's own SIGTRAP (which our breakpoint needs open), and faults from before. They are sent again afterwards.
 */
import { kernel } from '../sys/kernel.ts';
import { signalSets } from '../sys/procfs.ts';
import { RunningTask, SIGTRAP, traceEvent, type StoppedTask } from '../sys/ptrace.ts';
import { nr } from '../sys/x64/numbers.ts';

const SIGCONT = 18;
const SIGSTOP = 19;
/** ILL, BUS, FPE, SEGV: pending even while they are blocked (dequeue_synchronous_signal in kernel/signal.c). */
const faults: ReadonlySet<number> = new Set([4, 7, 8, 11]);

export class Intruders {
  /** The siginfo of a SIGTRAP of the program's. There is one at most: it does not queue. */
  #trap: Uint8Array | undefined;
  #stopped = false;

  /** Notes what stopped the task; the task is to go on without it. @throws Error for a stop that nobody expects */
  take(stop: StoppedTask): void {
    if (stop.event === traceEvent.stop) return; // left over from an earlier interrupt
    if (stop.event === 0 && faults.has(stop.signal)) return; // the instruction will be repeated and fault again
    if (stop.event === 0 && stop.signal === SIGTRAP) this.#trap = stop.signalInfo();
    else if (stop.event === 0 && stop.signal === SIGSTOP) this.#stopped = true;
    else
      throw new Error(
        `Cannot make calls in task ${stop.tid}: it stopped with signal ${stop.signal}, event ${stop.event}, at ${stop.registers().get('rip').toString(16)}`,
      );
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
    this.sendAgain(task.tid);
  }

  /** A SIGSTOP that was taken; not if SIGCONT has come since, which would have undone it. */
  sendAgain(tid: number): void {
    if (!this.#stopped) return;
    const continued = (signalSets(tid).pending & (1n << BigInt(SIGCONT - 1))) !== 0n;
    if (!continued) kernel.call(nr.tkill, tid, SIGSTOP);
  }
}
