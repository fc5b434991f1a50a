/**
 * Nobody may be captured inside the vDSO: its clocks hold pointers to a page that exists only in a time namespace, or only
 * outside one (arch/x86/entry/vdso; vvar and vvar_vclock in /proc/PID/maps). A thread that was stopped there is let run for
 * a moment, and then stepped out.
 *
 * Where it makes a system call itself (clocks that it cannot read) it holds no such pointer any more: it may stay there.
 */
import { nap, SIGTRAP, TaskEnded, type StoppedTask } from '../sys/ptrace.ts';
import type { Mapping } from '../sys/procfs.ts';
import { peek } from '../sys/remote_memory.ts';
import { frozenTask, type FrozenTask } from './frozen_task.ts';

/** More: fewer threads have to be stepped, which takes longer; but some programs do little else than read the clock. */
const attempts = 3;
/** How long a thread may run in each, microseconds. */
const runFor = 20;
/** More than the longest way through the vDSO takes. */
const maximumSteps = 2000;
const everySignalButTrap = ~0n & ~(1n << BigInt(SIGTRAP - 1));

export class Vdso {
  readonly #start: number;
  readonly #end: number;
  /** Addresses of its `syscall` instructions. Their bytes may also be part of another one, where nobody ever stops. */
  readonly #calls = new Set<number>();

  /** @param maps the mappings of a process */
  constructor(pid: number, maps: readonly Mapping[]) {
    const mapping = maps.find((m) => m.name === '[vdso]');
    this.#start = mapping?.start ?? 0;
    this.#end = mapping?.end ?? 0;
    const code = Buffer.from(peek(pid, this.#start, this.#end - this.#start));
    const syscall = Buffer.from([0x0f, 0x05]);
    for (let at = code.indexOf(syscall); at >= 0; at = code.indexOf(syscall, at + 1)) this.#calls.add(this.#start + at);
  }

  /** Whether a task is where it must not be captured. */
  holds(task: StoppedTask): boolean {
    const registers = task.registers();
    const rip = registers.number('rip');
    return rip >= this.#start && rip < this.#end && registers.syscall < 0 && !this.#calls.has(rip);
  }

  /** Gets a task out. @returns it where it is then, or undefined when it has ended */
  leave(frozen: FrozenTask): FrozenTask | undefined {
    try {
      return this.#stepOut(this.#runOut(frozen));
    } catch (error) {
      if (error instanceof TaskEnded) return undefined;
      throw error;
    }
  }

  #runOut(frozen: FrozenTask): FrozenTask {
    let at = frozen;
    for (let attempt = 0; attempt < attempts && !at.pendingSignal && this.holds(at.task); attempt++) {
      const running = at.task.resume();
      nap(runFor);
      running.interrupt();
      at = frozenTask(running.waitStop());
    }
    return at;
  }

  #stepOut(frozen: FrozenTask): FrozenTask {
    if (!this.holds(frozen.task)) return frozen;
    let { task } = frozen;
    const mask = task.signalMask();
    task.setSignalMask(everySignalButTrap);
    for (let step = 0; step < maximumSteps && this.holds(task); step++) task = task.step();
    task.setSignalMask(mask);
    return { ...frozen, task };
  }
}
