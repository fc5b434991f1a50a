/**
 * Looks at the processes of this machine and measures what each of them asks for. Nobody is traced or disturbed: everything
 * comes from /proc (proc(5)). A look at an idle process costs some ten microseconds, and idle ones are looked at less often.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';

import { ProcessMeter, type ProcessUse } from '../load/process_meter.ts';

interface Known {
  readonly startTime: string;
  readonly meter: ProcessMeter;
  readonly kernelThread: boolean;
  readonly threads: Map<string, number>;
  cpuMs: number;
  waitMs: number;
  memoryBytes: number;
  calls: number | undefined;
  quietLooks: number;
}

/** Of the times in /proc/PID/stat: USER_HZ, 100 everywhere. */
const TICK_MS = 10;
const NANOSECONDS = 1e6;
const PF_KTHREAD = 0x00200000;
const PAGE_BYTES = 4096;
/** After so many looks without CPU time a process is looked at in one round of this many. */
const QUIET_LOOKS = 8;
/** Threads that are looked at one by one; of larger processes the CPU time counts alone. */
const MOST_THREADS = 512;

export class ProcessSampler {
  readonly #known = new Map<number, Known>();
  #round = 0;

  /** @param watched Processes whose memory and calls are of interest, too. */
  sample(watched: ReadonlySet<number>): void {
    this.#round += 1;
    const present = new Set<number>();
    for (const name of readdirSync('/proc')) {
      const pid = Number(name);
      if (!Number.isInteger(pid)) continue;
      present.add(pid);
      const known = this.#known.get(pid);
      if (known !== undefined && this.#mayWait(pid, known) && !watched.has(pid)) continue;
      this.#look(pid, watched.has(pid));
    }
    for (const pid of this.#known.keys()) if (!present.has(pid)) this.#known.delete(pid);
  }

  /** undefined until it has been looked at twice. */
  use(pid: number): ProcessUse | undefined {
    return this.#known.get(pid)?.meter.use;
  }

  /** It begins to run here now: a guest in the process that was made for it, or a program that came home. */
  begins(pid: number, demand: number): void {
    this.#known.delete(pid);
    this.#look(pid, true);
    this.#known.get(pid)?.meter.assume(demand);
  }

  /** What has ended since the last look does not count any more. */
  dropEnded(): void {
    for (const pid of this.#known.keys()) if (!existsSync(`/proc/${pid}`)) this.#known.delete(pid);
  }

  /** Tasks of all processes that run or want to run. @param without Processes that do not count: what balances is no load. */
  demand(without: ReadonlySet<number>): number {
    let sum = 0;
    for (const [pid, { meter }] of this.#known) if (!without.has(pid)) sum += meter.use?.demand ?? 0;
    return sum;
  }

  /** CPUs that all processes use. */
  cpus(): number {
    let sum = 0;
    for (const { meter } of this.#known.values()) sum += meter.use?.cpus ?? 0;
    return sum;
  }

  #mayWait(pid: number, { quietLooks, kernelThread }: Known): boolean {
    return (kernelThread || quietLooks >= QUIET_LOOKS) && (pid + this.#round) % QUIET_LOOKS !== 0;
  }

  #look(pid: number, watched: boolean): void {
    const text = read(`/proc/${pid}/stat`);
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    if (fields.length < 22) return; // it has ended
    const [state, flags, startTime] = [fields[0], Number(fields[6]), fields[19]];
    const cpuMs = (Number(fields[11]) + Number(fields[12])) * TICK_MS;
    const at = performance.now();
    let known = this.#known.get(pid);
    const fresh = known?.startTime !== startTime;
    const isQuiet = known?.cpuMs === cpuMs && state !== 'R';
    if (known === undefined || fresh) {
      const kernelThread = (flags & PF_KTHREAD) !== 0;
      const threads = new Map<string, number>();
      const waitMs = kernelThread ? 0 : waited(pid, Number(fields[17]), threads);
      const memoryBytes = Number(fields[21]) * PAGE_BYTES;
      const meter = new ProcessMeter({ at, cpuMs, waitMs, memoryBytes });
      known = { startTime, meter, kernelThread, threads, cpuMs, waitMs, memoryBytes, calls: undefined, quietLooks: 0 };
      this.#known.set(pid, known);
      return;
    }
    known.quietLooks = isQuiet ? known.quietLooks + 1 : 0;
    if (!isQuiet && !known.kernelThread) known.waitMs += waited(pid, Number(fields[17]), known.threads);
    known.cpuMs = cpuMs;
    known.memoryBytes = Number(fields[21]) * PAGE_BYTES;
    if (watched) known.calls = callsOf(pid);
    known.meter.feed({ at, cpuMs, waitMs: known.waitMs, calls: known.calls, memoryBytes: known.memoryBytes });
  }
}

/** Milliseconds that its threads have waited for a CPU since the last time. */
function waited(pid: number, threadCount: number, last: Map<string, number>): number {
  if (threadCount > MOST_THREADS) return 0;
  const names = threadCount === 1 ? [String(pid)] : threadsOf(pid);
  let sum = 0;
  for (const name of names) {
    const wait = Number(read(`/proc/${pid}/task/${name}/schedstat`).split(' ')[1] ?? 0) / NANOSECONDS;
    if (!Number.isFinite(wait)) continue;
    sum += Math.max(0, wait - (last.get(name) ?? 0));
    last.set(name, wait);
  }
  if (last.size > names.length + MOST_THREADS)
    for (const name of last.keys()) if (!names.includes(name)) last.delete(name);
  return sum;
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return []; // it has ended
  }
}

/** Reads and writes so far; undefined where they are not counted, or not for us. */
function callsOf(pid: number): number | undefined {
  const text = read(`/proc/${pid}/io`);
  const field = (name: string): number => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
  return text === '' ? undefined : field('syscr') + field('syscw');
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return ''; // it has ended
  }
}
