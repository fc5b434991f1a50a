/** A stopped task lent for calls of ours: a table of them is made by the stub's batch runner, in one stop for all. */
import { SystemCallError } from '../../sys/errors.ts';
import type { Memory } from '../../sys/memory.ts';
import { eventWithin, isGone, RunningTask, SIGTRAP, traceEvent, type StoppedTask } from '../../sys/ptrace.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { isStubCall } from '../../sys/stub_calls.ts';
import type { Registers } from '../../sys/x64/registers.ts';
import { batchEntrySize } from '../../sys/x64/stub_code.ts';
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
    results.slice(0, count).forEach((result, i) => {
      if (result < 0 && result > -4096)
        throw new SystemCallError(`${purpose}: injected call ${calls[i][0]}`, result, {
          pid: this.#stub.pid,
          args: calls[i]
            .slice(1)
            .map((a) => a.toString(16))
            .join(','),
        });
    });
    return results;
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
      const stop = this.#resume();
      if (!births.has(stop.event)) return { results: calls.map((_, i) => this.#result(i)), tasks };
      tasks.push(new RunningTask(stop.eventMessage()).waitStop());
    }
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
    this.#resume();
    return calls.map((_, i) => this.#result(i));
  }

  /** Runs to the end of the table or to the birth of a task. */
  #resume(): StoppedTask {
    let signal = 0;
    for (let left = maximumIntruders; left > 0; left--) {
      const stop = this.#task.resume(signal).waitStop();
      if (births.has(stop.event) || this.#isEnd(stop)) return stop;
      signal = this.#intruders.take(stop);
      if (stop.event !== traceEvent.stop) continue;
      this.groupStopped = stop.groupStop() !== 0;
      this.trapped ||= !this.groupStopped;
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

  #fill(calls: readonly InjectedCall[]): void {
    const words = this.#stub.memory.u64;
    let at = layout.table / 8;
    for (const entry of calls) {
      if (this.#stub.filtered && !isStubCall(entry[0]))
        throw new RangeError(`Cannot inject call ${entry[0]}: the body's filter would not let it pass`);
      for (let i = 0; i < 7; i++) words[at + i] = BigInt.asUintN(64, BigInt(entry[i] ?? 0));
      at += batchEntrySize / 8;
    }
    words[at] = 0xffffffffffffffffn;
  }

  #start(): void {
    const registers = this.#registers.copy();
    registers
      .set('rip', this.#stub.base + code.batch)
      .set('rbx', this.#stub.base + layout.table)
      .set('orig_rax', -1);
    this.#task.setRegisters(registers);
  }

  #result(index: number): number {
    return Number(BigInt.asIntN(64, this.#stub.memory.u64[layout.table / 8 + index * (batchEntrySize / 8) + 7]));
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
      this.#intruders.leave(this.#task, this.#mask);
    } catch (error) {
      if (!isGone(error)) throw error; // a task that is gone is reported by the next wait for it
    }
  }
}
