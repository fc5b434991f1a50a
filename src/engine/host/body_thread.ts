/** One thread of a body: its ids, the call it waits for, and what is to happen at its next stop. */
import { signalSets } from '../../sys/procfs.ts';
import { describe } from '../../sys/syscalls.ts';
import { RunningTask, StoppedTask, TaskEnded, type TaskStatus } from '../../sys/ptrace.ts';
import { TerminalMask } from '../../sys/terminal_signals.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { ERESTART_RESTARTBLOCK, ERESTARTNOINTR, ERESTARTSYS, type Registers } from '../../sys/x64/registers.ts';
import type { BodyCall } from './body_call.ts';
import { momentOf, monotonicAt, readClock } from '../task/clocks.ts';
import { observeSleep, stoppedIn } from '../task/sleep.ts';
import type { SignalImage, ThreadImage } from '../image/image.ts';
import type { Loop } from '../link/loop.ts';
import { restOfWrite, type PartialWrite } from '../task/partial_writes.ts';
import { signalIsDue } from '../image/pending_signals.ts';
import { knownCall } from '../task/marked_calls.ts';
import { countedTime, timeoutOf, writeTimeAt } from '../task/timed_waits.ts';

interface Wait {
  nr: number;
  args: readonly bigint[];
  /** When it began (performance.now()). */
  began: number;
  /** It was cut short, and goes on when the call is made again; else it is going on in this kernel. */
  cutShort: boolean;
}

function isSame(wait: Pick<Wait, 'nr' | 'args'>, number: number, args: readonly bigint[]): boolean {
  return wait.nr === number && wait.args.every((arg, i) => arg === args[i]);
}

export class BodyThread {
  /** The id at home and inside the body's namespace. */
  readonly tid: number;
  /** The id as the hosting node's engine sees it. */
  readonly hostTid: number;
  /** It is a process that borrows this one's memory until it executes a program or ends (vfork). */
  readonly lodger: boolean;
  /** The lodger that must have gone before this thread goes on; until then it is held. */
  awaits: BodyThread | undefined;
  call: BodyCall | undefined;
  /** The timed wait that it is in, as far as the engine knows of it. */
  wait: Wait | undefined;
  /** The write that it is making the rest of, or is to make the rest of. */
  cutWrite: PartialWrite | undefined;
  /** The call whose restart block the home kernel holds since before the process left. */
  restartOf = 0;
  /** The thread while it is held stopped. */
  held: StoppedTask | undefined;
  /** Signals to queue in the thread when its call has ended. */
  signalsAfterCall: SignalImage[] = [];
  /** Its own mask, while it has another one in force for a wait with a mask. */
  ownMask: bigint | undefined;
  /** That is the wait's: a signal is about to act, which was due before the call or came during it. Else it blocks all. */
  letsIn: 'before' | 'during' | undefined;
  /** Another thread has sent a signal since this one made its last call. */
  mayHaveSignal = false;
  /** What the kernel will count down, and its rest when the call began. */
  #counted: { address: number; fraction: 1 | 1000; rest: bigint } | undefined;
  #cut: { code: number; nr: number; args: readonly bigint[] } | undefined;
  readonly terminalMask: TerminalMask;
  #stopWaiter: ((stop: StoppedTask | undefined) => void) | undefined;

  constructor(tid: number, hostTid: number, lodger = false) {
    this.tid = tid;
    this.hostTid = hostTid;
    this.terminalMask = new TerminalMask(hostTid);
    this.lodger = lodger;
  }

  /** A call begins: if it is the one that was cut short, its wait goes on. @returns when it began */
  begin(number: number, args: readonly bigint[], now: number): number {
    const { wait } = this;
    this.wait = undefined;
    this.#counted = countedTime(this.hostTid, number, args);
    if (number === nr.restart_syscall && this.restartOf === 0) {
      const since = wait?.cutShort && isSame(wait, nr.futex, args) ? wait.began : now;
      this.wait = { nr: nr.futex, args, began: since, cutShort: false };
    }
    return wait?.cutShort && isSame(wait, number, args) ? wait.began : now;
  }

  /** A call that is taken while a signal is due waits on all the same: its handler must run first. */
  hasSignalFirst(): boolean {
    if (!this.mayHaveSignal) return false;
    this.mayHaveSignal = false;
    return signalIsDue(this.hostTid);
  }

  /** Before it runs here: what was cut short when the process left the last node. */
  takeUp(registers: Registers, { restartOf, written }: Pick<ThreadImage, 'restartOf' | 'written'>): void {
    if (registers.interrupted) this.cutShort(registers);
    this.restartOf = restartOf;
    if (written) this.cutWrite = { nr: registers.syscall, args: registers.syscallArguments, written };
  }

  /** The call in its registers, which was cut short, goes on where it is made. */
  goesOnElsewhere(registers: Registers, since: bigint): void {
    if (describe(registers.syscall)?.class === 'local') return;
    this.wait = { nr: registers.syscall, args: registers.syscallArguments, began: momentOf(since), cutShort: true };
  }

  /** Its call was cut short by a restart code, and will be made again unless a handler runs. */
  cutShort(registers: Registers): void {
    this.#cut = { code: registers.number('rax'), nr: registers.syscall, args: registers.syscallArguments };
  }

  /** Its call was answered: by a restart code, or for good. */
  answered({ trapped }: BodyCall, result: number): void {
    const again = result <= ERESTARTSYS && result >= ERESTART_RESTARTBLOCK;
    this.#cut = again ? { ...trapped, code: result } : undefined;
  }

  /** The code that a call was cut short by which is now made again; undefined for a new one. */
  codeOf(number: number, args: readonly bigint[]): number | undefined {
    const goesOn = number === nr.restart_syscall && this.#cut?.code === ERESTART_RESTARTBLOCK;
    return this.#cut && (goesOn || isSame(this.#cut, number, args)) ? this.#cut.code : undefined;
  }

  /** The same, of a call that begins. */
  takeCode(number: number, args: readonly bigint[]): number | undefined {
    const code = this.codeOf(number, args);
    this.#cut = undefined;
    return code;
  }

  /** A call begins: if it is a write of which a part is done, only the rest is made. @returns its arguments */
  beginRest(number: number, args: readonly bigint[]): readonly bigint[] {
    const { cutWrite } = this;
    if (cutWrite && cutWrite.nr === number && cutWrite.args.every((arg, i) => arg === args[i]))
      return restOfWrite(args, cutWrite.written);
    this.cutWrite = undefined;
    return args;
  }

  /** A handler is about to run: it ends a wait, and a write of which a part is done. */
  handlerRuns(stop: StoppedTask): void {
    this.#cut = undefined;
    this.wait = undefined;
    this.restartOf = 0;
    const registers = stop.registers();
    if (this.cutWrite?.nr === registers.syscall && registers.interrupted)
      stop.setRegisters(registers.finishCall(this.cutWrite.written));
    this.cutWrite = undefined;
  }

  /** What the whole call answers when its rest has answered; one that was cut short again is always made again. */
  wholeResult(result: number): number {
    const { cutWrite } = this;
    const interrupted = result <= ERESTARTSYS && result >= ERESTART_RESTARTBLOCK;
    if (!interrupted) this.restartOf = 0; // what goes on later began here
    if (!cutWrite) return result;
    if (interrupted) return ERESTARTNOINTR;
    this.cutWrite = undefined;
    return cutWrite.written + Math.max(0, result);
  }

  /** Remembers since when a call has waited that has not been finished. */
  noteWait({ trapped, began }: BodyCall): void {
    if (timeoutOf(trapped.nr, trapped.args))
      this.wait = { ...trapped, began: this.#countDown(began) ?? began, cutShort: true };
  }

  /** Home's kernel counted while the call was made there; the program waited longer. @returns when the rest was what it is now */
  #countDown(began: number): number | undefined {
    if (!this.#counted) return undefined;
    const { address, fraction, rest } = this.#counted;
    const now = performance.now();
    writeTimeAt(this.hostTid, address, rest - BigInt(Math.floor((now - began) * 1e6)), fraction);
    return now;
  }

  /**
   * It was stopped in this kernel: if it waits for a futex, since when. What goes on after this stop by restart_syscall(2)
   * is that wait, and the last thing of which this kernel says when it began.
   * @param asleep since when it was seen to sleep, on this host's CLOCK_MONOTONIC; a call that was marked is known anyway
   */
  noteStop(registers: Registers, asleep?: bigint): void {
    if (!registers.interrupted) return;
    const since = knownCall(this.hostTid, registers)?.since ?? asleep ?? readClock('monotonic');
    const args = registers.syscallArguments;
    const goesOn = this.#goesOn(registers);
    if (!goesOn && (registers.syscall !== nr.futex || !timeoutOf(nr.futex, args))) return;
    const { wait } = this;
    if (wait && isSame(wait, nr.futex, args) && (goesOn || wait.cutShort)) wait.cutShort = true;
    else this.wait = { nr: nr.futex, args, began: momentOf(since), cutShort: true };
  }

  /** By restart_syscall(2), with a wait that began in this kernel: a futex's, since all others are made at home. */
  #goesOn(registers: Registers): boolean {
    return registers.syscall === nr.restart_syscall && this.restartOf === 0;
  }

  /** When the wait began that it is in, going by its registers, on this host's CLOCK_MONOTONIC; undefined: not noted. */
  waitsSince(registers: Registers): bigint | undefined {
    const { wait } = this;
    const number = this.#goesOn(registers) ? nr.futex : registers.syscall;
    if (!wait || !isSame(wait, number, registers.syscallArguments)) return undefined;
    // One that had gone on has ended if the thread waits anew.
    if (registers.syscall === nr.futex && !wait.cutShort) return undefined;
    return monotonicAt(wait.began);
  }

  /** The signals that it does not take now. */
  get blocked(): bigint {
    return this.call?.mask ?? signalSets(this.hostTid).blocked;
  }

  get running(): RunningTask {
    return new RunningTask(this.hostTid);
  }

  /** A thread that is held is held no longer. */
  release(): { thread: BodyThread; stop: StoppedTask } | undefined {
    const stop = this.held;
    this.held = undefined;
    return stop && { thread: this, stop };
  }

  /** Gives the next stop (or end) to whoever waits for it. @returns whether somebody did */
  deliver(status: TaskStatus): boolean {
    const waiter = this.#stopWaiter;
    if (!waiter) return false;
    this.#stopWaiter = undefined;
    waiter(status.kind === 'stopped' ? new StoppedTask(this.hostTid, status.signal, status.event) : undefined);
    return true;
  }

  /** Waits for the next stop; undefined when the thread ended. */
  nextStop(loop: Loop, milliseconds: number): Promise<StoppedTask | undefined> {
    return loop.within(milliseconds, `stop thread ${this.tid}`, (resolve) => {
      this.#stopWaiter = resolve;
    });
  }

  /** Interrupts a thread that is not in a forwarded call and waits for its stop; undefined when it ended. */
  stopNow(): StoppedTask | undefined {
    const sleep = observeSleep(this.hostTid);
    const stop = this.running.interrupt() ? this.awaitStop() : undefined;
    if (stop) this.noteStop(stop.registers(), sleep && stoppedIn(this.hostTid, sleep) ? sleep.since : undefined);
    return stop;
  }

  /** Waits for a stop that was asked for; undefined when the thread ended, which the loop then tells. */
  awaitStop(): StoppedTask | undefined {
    try {
      return this.running.waitStop();
    } catch (error) {
      if (error instanceof TaskEnded) return undefined;
      throw error;
    }
  }
}

/**
 * The thread whose forwarded call must end, at home, for a signal that was queued here: the one it is for, or, if all
 * that could take a signal to the process are in forwarded calls, one of these.
 */
export function callToInterrupt(
  threads: readonly BodyThread[],
  { signal, tid }: { signal: number; tid: number },
): BodyThread | undefined {
  const open = (t: BodyThread): boolean => (t.blocked & (1n << BigInt(signal - 1))) === 0n;
  const target = threads.find((t) => t.tid === tid);
  if (target) return target.call && open(target) ? target : undefined;
  const takers = threads.filter((t) => !t.lodger && !t.awaits && open(t));
  return takers.every((t) => t.call) ? takers[0] : undefined;
}
