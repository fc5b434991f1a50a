/** A stopped task lent for calls of ours: a table of them is made by the stub's batch runner, in one stop for all. */
import { SystemCallError } from '../../sys/errors.ts';
import type { Memory } from '../../sys/memory.ts';
import { eventWithin, isGone, RunningTask, SIGTRAP, traceEvent, type StoppedTask } from '../../sys/ptrace.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { isStubCall } from '../../sys/stub_calls.ts';
import type { Registers } from '../../sys/x64/registers.ts';
import { batchEntrySize } from '../../sys/x64/stub_code.ts';
import { abortCriticalSection } from './critical_section.ts';
import { Intruders } from './intruders.ts';
import { isForThread } from './siginfo.ts';
import { stepCall } from './step_call.ts';
import { code, layout, type InjectedCall } from './stub_layout.ts';

const everySignalButTrap = 0xffffffffffffffffn & ~(1n << BigInt(SIGTRAP - 1));

const births: ReadonlySet<number> = new Set([traceEvent.clone, traceEvent.fork, traceEvent.vfork]);
/** si_code of the signal that a breakpoint raises (do_int3 in arch/x86/kernel/traps.c). */
const SI_KERNEL = 0x80;
/** Stops of others during one batch; each SIGSTOP and SIGCONT makes up to three. More: a storm of signals lasts longer. */
const maximumIntruders = 1000;

/** What an injection needs of the process's stub. */
export interface InjectionPlace {
  readonly pid: number;
  /** The stub's address in the process. */
  readonly base: number;
  readonly memory: Memory;
  /** The process has a body's filter. */
  readonly filtered: boolean;
  /** The process is a body: it ends with this engine, and never goes on by itself. */
  readonly isBody: boolean;
}

/** A task lent for injected calls. */
export class Injection {
  readonly #stub: InjectionPlace;
  readonly #task: StoppedTask;
  readonly #registers: Registers;
  readonly #mask: bigint;
  readonly #intruders = new Intruders();
  #exits = false;
  /** An event stop came before a call had been made: SIGCONT had been sent to the process, or a stop been asked for. */
  trapped = false;
  /** The last event stop before a call was one of the process's group stop. */
  groupStopped = false;

  constructor(stub: InjectionPlace, task: StoppedTask, mask: bigint) {
    this.#stub = stub;
    this.#task = task;
    this.#registers = task.registers();
    if (stub.isBody) abortCriticalSection(task, this.#registers);
    this.#mask = mask;
    const saved = this.#registers.copy();
    if (saved.interrupted) saved.repeatCall(saved.number('rax') === -516 ? nr.restart_syscall : saved.syscall);
    stub.memory.u64.set(saved.escapeContext(mask), layout.escapeContext / 8);
    task.setSignalMask(everySignalButTrap);
  }

  /** The task's own registers and mask, which come back when the session ends. */
  get borrowed(): Registers {
    return this.#registers;
  }

  get mask(): bigint {
    return this.#mask;
  }

  /** Makes the calls one after the other. @returns their results (-errno on failure) */
  run(calls: readonly InjectedCall[]): number[] {
    const out: number[] = [];
    for (let i = 0; i < calls.length; i += layout.tableEntries)
      out.push(...this.#runTable(calls.slice(i, i + layout.tableEntries)));
    return out;
  }

  /** As `run`, but if one of the first `count` calls fails that is an error. @throws SystemCallError */
  must(purpose: string, calls: readonly InjectedCall[], count = calls.length): number[] {
    const results = this.run(calls);
    this.refuseFailures(purpose, calls.slice(0, count), results);
    return results;
  }

  /** @param results of calls that were made @throws SystemCallError for the first that failed */
  refuseFailures(purpose: string, calls: readonly InjectedCall[], results: readonly number[]): void {
    calls.forEach(([number, ...args], i) => {
      if (results[i] >= 0 || results[i] <= -4096) return;
      const shown = args.map((a) => a.toString(16)).join(',');
      throw new SystemCallError(`${purpose}: injected call ${number}`, results[i], {
        pid: this.#stub.pid,
        args: shown,
      });
    });
  }

  /** Makes a clone or clone3 call. @returns its result and the new task, stopped before its first instruction */
  clone(callToMake: InjectedCall): { result: number; task: StoppedTask | undefined } {
    const { results, tasks } = this.clones([callToMake]);
    return { result: results[0], task: tasks[0] };
  }

  /** The same, of up to a table of calls; the tasks are those of the calls that succeeded. */
  clones(calls: readonly InjectedCall[]): { results: number[]; tasks: StoppedTask[] } {
    this.#fill(calls);
    this.#start();
    const tasks: StoppedTask[] = [];
    for (;;) {
      const stop = this.#untilEnd(this.#task.resume());
      if (!births.has(stop.event)) return { results: this.#results(calls), tasks };
      tasks.push(new RunningTask(stop.eventMessage()).waitStop());
    }
  }

  /**
   * Tasks make calls at the same time; there must be room for all of them in the table. Only of a body: what one borrowed
   * task of a process needs in order to go on without this engine is noted in one place.
   * @returns the results of each
   */
  static together(jobs: readonly { session: Injection; calls: readonly InjectedCall[] }[]): number[][] {
    let used = 0;
    const entries = jobs.map(({ calls }) => (used += calls.length + 1) - calls.length - 1);
    const running = jobs.map(({ session, calls }, i) => {
      session.#fill(calls, entries[i]);
      session.#start(entries[i]);
      return session.#task.resume();
    });
    jobs.forEach(({ session }, i) => session.#untilEnd(running[i]));
    return jobs.map(({ session, calls }, i) => session.#results(calls, entries[i]));
  }

  /** Takes the program's own SIGTRAP if one is pending: it comes to light as soon as the task runs. @returns its siginfo */
  takeTrap(): Uint8Array | undefined {
    this.#runTable([]);
    return this.#intruders.takeTrap();
  }

  /** The task makes exit(2) and ends; its process goes on with its other threads. Nothing is given back. */
  exit(): void {
    this.#fill([[nr.exit, 0]]);
    this.#start();
    this.#exits = true;
    do this.#task.resume();
    while (eventWithin(this.#task.tid, 5000)?.kind === 'stopped');
  }

  #runTable(calls: readonly InjectedCall[]): number[] {
    this.#fill(calls);
    this.#start();
    this.#untilEnd(this.#task.resume());
    return this.#results(calls);
  }

  /** Waits for the end of the table or the birth of a task. */
  #untilEnd(running: RunningTask): StoppedTask {
    for (let left = maximumIntruders; left > 0; left--) {
      const stop = running.waitStop();
      if (births.has(stop.event) || this.#isEnd(stop)) return stop;
      const signal = this.#intruders.take(stop);
      if (stop.event === traceEvent.stop) {
        this.groupStopped = stop.groupStop() !== 0;
        this.trapped ||= !this.groupStopped;
      }
      running = this.#task.resume(signal);
    }
    throw new Error(`Cannot inject into task ${this.#task.tid}: signals keep coming`);
  }

  #isEnd(stop: StoppedTask): boolean {
    const { base } = this.#stub;
    if (stop.event !== 0 || stop.signal !== SIGTRAP || stop.registers().number('rip') !== base + code.batchEnd)
      return false;
    // The breakpoint's signal and one from elsewhere that came at the same moment are one: SIGTRAP does not queue.
    const info = stop.signalInfo();
    if (new DataView(info.buffer, info.byteOffset).getInt32(8, true) !== SI_KERNEL) this.#intruders.take(stop);
    return true;
  }

  /** @param first the entry of the table from which on they stand */
  #fill(calls: readonly InjectedCall[], first = 0): void {
    const words = this.#stub.memory.u64;
    let at = (layout.table + first * batchEntrySize) / 8;
    for (const entry of calls) {
      if (this.#stub.filtered && !isStubCall(entry[0]))
        throw new RangeError(`Cannot inject call ${entry[0]}: the body's filter would not let it pass`);
      for (let i = 0; i < 7; i++) words[at + i] = BigInt.asUintN(64, BigInt(entry[i] ?? 0));
      at += batchEntrySize / 8;
    }
    words[at] = 0xffffffffffffffffn;
  }

  #start(entry = 0): void {
    const registers = this.#registers.copy();
    registers
      .set('rip', this.#stub.base + code.batch)
      .set('rbx', this.#stub.base + layout.table + entry * batchEntrySize)
      .set('orig_rax', -1);
    this.#task.setRegisters(registers);
  }

  #results(calls: readonly InjectedCall[], entry = 0): number[] {
    const last = (layout.table + entry * batchEntrySize) / 8 + 7;
    return calls.map((_, i) => Number(BigInt.asIntN(64, this.#stub.memory.u64[last + i * (batchEntrySize / 8)])));
  }

  /** Intruders put a SIGTRAP into the thread's queue; one that was sent to the process is queued by the process itself. */
  #returnTrap(): void {
    const { pid, base, memory } = this.#stub;
    const trap = this.#intruders.trap;
    if (!trap || isForThread(trap, this.#task.tid === pid)) return;
    this.#intruders.takeTrap();
    memory.u8.set(trap, layout.trapInfo);
    const instruction = base + code.batchSyscall;
    const self = stepCall(this.#task, instruction, nr.getpid);
    stepCall(this.#task, instruction, nr.rt_sigqueueinfo, self, SIGTRAP, base + layout.trapInfo);
  }

  [Symbol.dispose](): void {
    if (this.#exits) return;
    try {
      this.#returnTrap();
      this.#task.setRegisters(this.#registers);
      // One that ends with this engine may stay in the stop of a signal, which it never gets.
      if (this.#stub.isBody && !this.#intruders.trap) this.#task.setSignalMask(this.#mask);
      else this.#intruders.leave(this.#task, this.#mask);
    } catch (error) {
      if (!isGone(error)) throw error; // a task that is gone is reported by the next wait for it
    }
  }
}
