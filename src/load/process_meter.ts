/**
 * What one process asks of a machine, smoothed. The demand is measured, not guessed: a task that runs or waits for a CPU
 * asks for one, and the kernel counts both times (/proc/PID/schedstat: nanoseconds on a CPU, and in a run queue, which
 * include the time in which a quota keeps it from running; Documentation/scheduler/sched-stats.rst).
 */
import { Decayed } from './decay.ts';

/** Counters since the process began, as the kernel has them. */
export interface ProcessCounters {
  /** Milliseconds, of any clock that does not go back. */
  readonly at: number;
  /** On CPUs, all threads together. */
  readonly cpuMs: number;
  /** Ready to run but without a CPU, all threads together; undefined where the kernel does not count it. */
  readonly waitMs?: number;
  /** Reads and writes; undefined where nobody counts. */
  readonly calls?: number;
  readonly memoryBytes: number;
}

export interface ProcessUse {
  /** Tasks that run or want to run, on the average: 1 for a thread that computes without pause. */
  readonly demand: number;
  /** CPUs that it really has. */
  readonly cpus: number;
  /** Reads and writes, which would be forwarded if it were away. */
  readonly callsPerSecond: number;
  readonly memoryBytes: number;
  /** Milliseconds for which it ran or wanted to run since it has been measured. */
  readonly runnableMs: number;
}

/** Milliseconds; see Decayed. Two seconds forget a start within some samples, and bridge a pause. */
export const HALF_LIFE_MS = 2_000;

export class ProcessMeter {
  readonly #demand: Decayed;
  readonly #cpus: Decayed;
  readonly #calls: Decayed;
  #last: ProcessCounters;
  #runnableMs: number;

  /** @param first What it has used before counts for its age: whoever has computed for long goes on computing. */
  constructor(first: ProcessCounters, halfLifeMs = HALF_LIFE_MS) {
    this.#last = first;
    this.#demand = new Decayed(halfLifeMs);
    this.#cpus = new Decayed(halfLifeMs);
    this.#calls = new Decayed(halfLifeMs);
    this.#runnableMs = first.cpuMs + (first.waitMs ?? 0);
  }

  feed(now: ProcessCounters): void {
    const elapsed = now.at - this.#last.at;
    if (elapsed <= 0) return;
    const ran = Math.max(0, now.cpuMs - this.#last.cpuMs);
    // Threads that end take their counters along: a sum may go back.
    const waited = Math.max(0, (now.waitMs ?? 0) - (this.#last.waitMs ?? 0));
    this.#demand.add((ran + waited) / elapsed, elapsed);
    this.#cpus.add(ran / elapsed, elapsed);
    // Those from before it was looked at are its start's, of which nothing follows.
    const calls = Math.max(0, (now.calls ?? 0) - (this.#last.calls ?? now.calls ?? 0));
    this.#calls.add((calls * 1000) / elapsed, elapsed);
    this.#runnableMs += ran + waited;
    this.#last = now;
  }

  /** It begins to run here now, and is known to ask for this much. */
  assume(demand: number): void {
    this.#demand.assume(demand);
    this.#cpus.assume(0);
  }

  /** undefined until it has been looked at twice. */
  get use(): ProcessUse | undefined {
    const demand = this.#demand.value;
    if (demand === undefined) return undefined;
    return {
      demand,
      cpus: this.#cpus.value ?? 0,
      callsPerSecond: this.#calls.value ?? 0,
      memoryBytes: this.#last.memoryBytes,
      runnableMs: this.#runnableMs,
    };
  }
}
