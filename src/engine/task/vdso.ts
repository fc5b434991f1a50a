/**
 * Nobody may be captured inside the vDSO: its clocks hold pointers to a page that exists only in a time namespace, or only
 * outside one (arch/x86/entry/vdso; vvar and vvar_vclock in /proc/PID/maps). A thread that was stopped there runs to a
 * breakpoint at its return, or is stepped out.
 *
 * Where it makes a system call itself (clocks that it cannot read) it holds no such pointer any more: it may stay there.
 */
import { SIGSTOP } from '../../sys/own_stops.ts';
import { signalSets, type Mapping } from '../../sys/procfs.ts';
import { SIGTRAP, StopTimeout, TaskEnded, type RunningTask, type StoppedTask } from '../../sys/ptrace.ts';
import { must } from '../../sys/errors.ts';
import { peek, poke } from '../../sys/remote_memory.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { debugRegisters } from '../../sys/x64/debug_registers.ts';
import { frozenTask, type FrozenTask } from './frozen_task.ts';
import { isFault, isTrace, signalOf } from './siginfo.ts';
import { stepCall } from './step_call.ts';

/** Milliseconds for the way to a breakpoint: longer only if none of them is on the way, or where CPUs are scarce. */
const runFor = 20;
/** How far up the stack a return address is looked for, words: more than the frame of any function in there. */
const frameWords = 40;
/** More than the longest way through the vDSO takes. */
const maximumSteps = 2000;
const bitOfTrap = 1n << BigInt(SIGTRAP - 1);
const everySignalButTrap = ~0n & ~bitOfTrap;
/** Beyond the red zone. */
const belowStack = 512;
/** struct kernel_sigaction. */
const actionSize = 32;

export class Vdso {
  readonly #maps: readonly Mapping[];
  readonly #start: number;
  readonly #end: number;
  /** Addresses of its `syscall` instructions. Their bytes may also be part of another one, where nobody ever stops. */
  readonly #calls = new Set<number>();

  /** @param maps the mappings of a process */
  constructor(pid: number, maps: readonly Mapping[]) {
    this.#maps = maps;
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
    return this.#contains(rip) && registers.syscall < 0 && !this.#calls.has(rip);
  }

  /** Gets a task out. `at`: where it is then, or undefined when it has ended; `beyond`: it may have run more than the vDSO. */
  leave(frozen: FrozenTask): { at: FrozenTask | undefined; beyond: boolean } {
    if (!this.holds(frozen.task)) return { at: frozen, beyond: false };
    try {
      const run = this.#runOut(frozen);
      return { at: this.#stepOut(run.at), beyond: run.beyond };
    } catch (error) {
      if (error instanceof TaskEnded) return { at: undefined, beyond: true };
      throw error;
    }
  }

  #contains(address: number): boolean {
    return address >= this.#start && address < this.#end;
  }

  /**
   * One stop instead of a hundred, which matters where others want the CPU. The program keeps its signal mask: if none of
   * the breakpoints is on its way it runs on, and must not see any of this.
   */
  #runOut(frozen: FrozenTask): { at: FrozenTask; beyond: boolean } {
    const { task } = frozen;
    const returns = this.#possibleReturns(task);
    if (
      frozen.pendingSignal ||
      task.groupStop() ||
      returns.length === 0 ||
      trapIsRefused(task) ||
      !task.setBreakpoints(returns)
    )
      return { at: frozen, beyond: false };
    let stop = stopSoon(task.resume());
    stop.setBreakpoints([]);
    // Another stop may come first in the same moment: the breakpoint's signal waits behind it, and must not be taken along.
    for (let left = 4; left > 0 && stop.event !== 0 && stop.pendingSignals(false).some(isTraceInfo); left--)
      stop = stop.resume().waitStop();
    const at = frozenTask(stop);
    const arrived = at.pendingSignal && isTrace(at.pendingSignal) && returns.includes(stop.registers().number('rip'));
    return arrived ? { at: { task: stop }, beyond: false } : { at, beyond: true };
  }

  /** What lies on the stack and points to code. The return address is among the first of them. */
  #possibleReturns(task: StoppedTask): number[] {
    const stack = Buffer.from(peek(task.tid, task.registers().number('rsp'), 8 * frameWords));
    const found = new Set<number>();
    for (let at = 0; at + 8 <= stack.length && found.size < debugRegisters.count; at += 8) {
      const word = Number(stack.readBigUInt64LE(at));
      const code = this.#maps.find((m) => word >= m.start && word < m.end && m.permissions[2] === 'x');
      if (code && !this.#contains(word)) found.add(word);
    }
    return [...found];
  }

  #stepOut(frozen: FrozenTask): FrozenTask {
    if (!this.holds(frozen.task)) return frozen;
    let { task } = frozen;
    let { pendingSignal } = frozen;
    const ignored = this.#ignoredAction(task);
    const mask = task.signalMask();
    task.setSignalMask(everySignalButTrap);
    let signal = 0;
    for (let step = 0; step < maximumSteps && this.holds(task); step++) {
      task = task.step(signal);
      const came = frozenTask(task).pendingSignal;
      signal = came?.signal === SIGSTOP ? SIGSTOP : 0; // it acts where it shows (sys/own_stops.ts)
      if (came && signal === 0 && !isTrace(came) && !isFault(came)) pendingSignal ??= came;
    }
    task.setSignalMask(mask);
    ignored?.setAgain();
    return { ...frozen, task, ...(pendingSignal && { pendingSignal }) };
  }

  /** Where SIGTRAP is ignored, a step takes the action back to default. */
  #ignoredAction(task: StoppedTask): { setAgain: () => void } | undefined {
    if ((signalSets(task.tid).ignored & bitOfTrap) === 0n) return undefined;
    const [instruction] = this.#calls;
    const at = 8 * Math.floor((task.registers().number('rsp') - belowStack) / 8);
    const covered = peek(task.tid, at, actionSize);
    const call = (action: number, old: number): void => {
      const registers = task.registers();
      const result = stepCall(task, instruction, nr.rt_sigaction, SIGTRAP, action, old, 8);
      task.setRegisters(registers);
      must(result, 'rt_sigaction of SIGTRAP', { tid: task.tid });
    };
    call(0, at);
    const action = peek(task.tid, at, actionSize);
    poke(task.tid, at, covered);
    const setAgain = (): void => {
      poke(task.tid, at, action);
      call(at, 0);
      poke(task.tid, at, covered);
    };
    return { setAgain };
  }
}

const isTraceInfo = (info: Uint8Array): boolean => isTrace({ signal: signalOf(info), info });

/** The next stop of a task: its own, or ours when it takes too long. */
function stopSoon(running: RunningTask): StoppedTask {
  try {
    return running.waitStop(runFor);
  } catch (error) {
    if (!(error instanceof StopTimeout)) throw error;
    running.interrupt();
    return running.waitStop();
  }
}

/** A breakpoint's signal that is blocked or ignored takes its default action from then on (force_sig_info_to_task). */
function trapIsRefused(task: StoppedTask): boolean {
  const { blocked, ignored } = signalSets(task.tid);
  return ((blocked | ignored) & bitOfTrap) !== 0n;
}
