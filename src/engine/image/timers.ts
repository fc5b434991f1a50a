/**
 * Timers that send signals (timer_create(2); setitimer(2) of CPU time): they run where the program runs, in the body's
 * kernel, which counts overruns, chooses threads and sees the CPU time that is used. Home keeps a POSIX timer's id, and
 * the timer itself, disarmed. See docs/internals/time.md.
 */
import { processTimers, type ProcessTimer } from '../../sys/procfs.ts';
import type { StoppedTask } from '../../sys/ptrace.ts';
import { nr } from '../../sys/x64/numbers.ts';
import type { SignalImage, TimerImage, Timers } from './image.ts';
import { bitOf, imageOf, queueSignal, takeOne } from './pending_signals.ts';
import { signalOf, timerOf } from '../task/siginfo.ts';
import { layout, type InjectedCall, type Injection, type Stub } from '../task/stub.ts';
import { readTime, timeStruct } from '../task/timed_waits.ts';

const noIntervals = Buffer.alloc(64).toString('base64');
export const noTimers: Timers = { posix: [], intervals: noIntervals };

export function runsIntervals({ intervals }: Timers): boolean {
  return intervals !== noIntervals;
}

const TIMER_ABSTIME = 1;
const SIGEV = { signal: 0, none: 1, thread: 2, threadId: 4 } as const;
const ITIMER_VIRTUAL = 1;
const ITIMER_PROF = 2;

/** CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID, and the clocks of other processes and threads. */
function countsCpuTime(clock: number): boolean {
  return clock < 0 || clock === 2 || clock === 3;
}

/** The timers of stopped tasks, all of one process; those stay at home whose signals are `held` there. @param intervals as read */
export function captureTimers(stub: Stub, tasks: readonly StoppedTask[], held: bigint, intervals: string): Timers {
  const timers = processTimers(stub.pid).filter((t) => t.notify === 'none' || (held & bitOf(t.signal)) === 0n);
  const states = statesOf(stub, tasks[0], timers);
  const before = new Map(timers.map(({ id }, i) => [id, states[i]]));
  const repeated = timers.filter(({ id, clock }) => !countsCpuTime(clock) && before.get(id)!.interval > 0n);
  const taken = takeSignals(stub, tasks, repeated);
  const posix = timers.map((timer): TimerImage => {
    const signal = taken.get(timer.id);
    const state = signal ? statesOf(stub, tasks[0], [timer])[0] : before.get(timer.id)!;
    const { interval, left } = state;
    const next = left === 0n || countsCpuTime(timer.clock) ? left : signal ? firstOf(state, signal) : state.now + left;
    return { ...timer, interval: String(interval), next: String(next), taken: signal !== undefined };
  });
  return { posix, intervals };
}

/** A timer's signal that was taken out of a queue, and when. */
interface TakenSignal {
  overruns: bigint;
  at: bigint;
}

/** When a repeated timer came first: armed for then, the kernel that arms it counts all overruns since. */
function firstOf({ interval, left, now }: TimerState, { overruns, at }: TakenSignal): bigint {
  const next = now + left;
  const latest = at - overruns * interval;
  return next - ((next - latest + interval - 1n) / interval) * interval;
}

interface TimerState {
  interval: bigint;
  left: bigint;
  now: bigint;
}

/** What the kernel says of all of them, asked at one stop: each costs more than the calls. */
function statesOf(stub: Stub, task: StoppedTask, timers: readonly ProcessTimer[]): TimerState[] {
  const size = 48;
  const many = Math.floor(layout.scratchSize / size);
  if (timers.length > many)
    return [...statesOf(stub, task, timers.slice(0, many)), ...statesOf(stub, task, timers.slice(many))];
  if (timers.length === 0) return [];
  using session = stub.borrow(task);
  stub.memory.u8.fill(0, layout.scratch, layout.scratch + size * timers.length);
  session.run(
    timers.flatMap(({ id, clock }, i): InjectedCall[] => [
      [nr.timer_gettime, id, stub.scratchAddress(size * i)],
      [nr.clock_gettime, clock, stub.scratchAddress(size * i + 32)],
    ]),
  );
  return timers.map((_, i) => {
    const time = (offset: number): bigint => readTime(stub.memory.u8.slice(layout.scratch + size * i + offset));
    return { interval: time(0), left: time(16), now: time(32) };
  });
}

/** Bytes of `Timers.intervals`. */
export const intervalsSize = 64;

/** The calls that read them. */
export function intervalCalls(address: number): InjectedCall[] {
  return [
    [nr.getitimer, ITIMER_VIRTUAL, address],
    [nr.getitimer, ITIMER_PROF, address + intervalsSize / 2],
  ];
}

/** Takes the waiting signals of timers out of the queues: only then the kernel tells their overruns. @returns these, by id */
function takeSignals(
  stub: Stub,
  tasks: readonly StoppedTask[],
  timers: readonly ProcessTimer[],
): Map<number, TakenSignal> {
  const found = new Map<number, TakenSignal>();
  const isOurs = (info: Uint8Array): boolean => timers.some(({ id }) => id === timerOf(info)?.id);
  tasks.forEach((task, index) => {
    if (timers.length === 0) return;
    const own = task.pendingSignals(false);
    const all = index === 0 ? [...own, ...task.pendingSignals(true)] : own;
    for (const number of new Set(all.filter(isOurs).map(signalOf))) {
      using session = stub.borrow(task);
      const others: SignalImage[] = [];
      const first = own.filter((info) => signalOf(info) === number).length;
      const count = all.filter((info) => signalOf(info) === number).length;
      const clocks = timers.filter(({ signal }) => signal === number);
      for (let i = 0; i < count; i++) {
        const one = takeOne(stub, session, bitOf(number), readClocks(stub, clocks));
        if (!one) break;
        const timer = timerOf(one.info);
        const which = clocks.findIndex(({ id }) => id === timer?.id);
        if (timer && which >= 0) found.set(timer.id, { overruns: BigInt(timer.overruns), at: clockRead(stub, which) });
        else others.push(imageOf(one.signal, one.info, i < first ? task.tid : 0));
      }
      for (const other of others)
        queueSignal(stub, session, { pid: stub.pid, tid: index === 0 ? stub.pid : task.tid }, other);
    }
  });
  return found;
}

const clocksAt = 0x1000;

/** Calls that read the timers' clocks. */
function readClocks(stub: Stub, timers: readonly ProcessTimer[]): InjectedCall[] {
  return timers.map(({ clock }, i) => [nr.clock_gettime, clock, stub.scratchAddress(clocksAt + 16 * i)]);
}

function clockRead(stub: Stub, index: number): bigint {
  return readTime(stub.memory.u8.slice(layout.scratch + clocksAt + 16 * index));
}

/** Without the signals that the timers of an image send again when they are armed. */
export function withoutTimers<T extends SignalImage>(signals: readonly T[], { posix }: Timers): T[] {
  const again = new Set(posix.filter((t) => t.next !== '0' && !countsCpuTime(t.clock)).map(({ id }) => id));
  return signals.filter(({ info }) => !again.has(timerOf(Buffer.from(info, 'base64'))?.id ?? -1));
}

/** The calls that disarm the timers where the program no longer runs. */
export function stopTimers(stub: Stub, timers: Timers): InjectedCall[] {
  const at = 0x2000;
  stub.memory.u8.fill(0, layout.scratch + at, layout.scratch + at + 32);
  const zero = stub.scratchAddress(at);
  const calls: InjectedCall[] = timers.posix.map(({ id }) => [nr.timer_settime, id, 0, zero, 0]);
  if (runsIntervals(timers))
    for (const which of [ITIMER_VIRTUAL, ITIMER_PROF]) calls.push([nr.setitimer, which, zero, 0]);
  return calls;
}

/** Arms all timers in a kernel where they are not; the signals of those that should have come are sent at once. */
export function startTimers(stub: Stub, task: StoppedTask, timers: Timers): void {
  armTimers(stub, task, timers.posix);
  if (!runsIntervals(timers)) return;
  using session = stub.borrow(task);
  Buffer.from(timers.intervals, 'base64').copy(stub.memory.buffer, layout.scratch);
  session.run([
    [nr.setitimer, ITIMER_VIRTUAL, stub.scratchAddress(0), 0],
    [nr.setitimer, ITIMER_PROF, stub.scratchAddress(32), 0],
  ]);
}

function armTimers(stub: Stub, task: StoppedTask, timers: readonly TimerImage[]): void {
  const armed = timers.filter(({ next }) => next !== '0');
  if (armed.length === 0) return;
  using session = stub.borrow(task);
  for (const { id, clock, interval, next } of armed) {
    stub.memory.u8.set(timeStruct(BigInt(interval)), layout.scratch);
    stub.memory.u8.set(timeStruct(BigInt(next)), layout.scratch + 16);
    session.run([[nr.timer_settime, id, countsCpuTime(clock) ? 0 : TIMER_ABSTIME, stub.scratchAddress(0), 0]]);
  }
}

/** The process stays where it is: the signals that were taken out for the capture are sent again. */
export function keepTimers(stub: Stub, task: StoppedTask, { posix }: Timers): void {
  armTimers(
    stub,
    task,
    posix.filter(({ taken }) => taken),
  );
}

const PR_TIMER_CREATE_RESTORE_IDS = 77; // Linux 6.16
const EAGAIN = -11;

/** Makes a timer with a given id, disarmed. @returns 0, or why not (-errno) */
export function createTimer(stub: Stub, session: Injection, timer: ProcessTimer): number {
  const at = stub.scratchAddress(0);
  const { view, buffer } = stub.memory;
  buffer.fill(0, layout.scratch, layout.scratch + 72);
  view.setBigUint64(layout.scratch, BigInt(`0x${timer.value}`), true);
  view.setInt32(layout.scratch + 8, timer.signal, true);
  view.setInt32(layout.scratch + 12, SIGEV[timer.notify] | (timer.tid ? SIGEV.threadId : 0), true);
  view.setInt32(layout.scratch + 16, timer.tid, true);
  view.setInt32(layout.scratch + 64, timer.id, true);
  const create: InjectedCall = [nr.timer_create, clockHere(timer.clock), at, at + 64];
  const [exact, result] = session.run([
    [nr.prctl, PR_TIMER_CREATE_RESTORE_IDS, 1, 0, 0, 0],
    create,
    [nr.prctl, PR_TIMER_CREATE_RESTORE_IDS, 0, 0, 0, 0],
  ]);
  if (result < 0) return result;
  if (exact === 0) return 0;
  // An older kernel counts the ids up: those in between are made and deleted.
  let id = view.getInt32(layout.scratch + 64, true);
  for (; id < timer.id; id = view.getInt32(layout.scratch + 64, true)) {
    const between = Array.from({ length: timer.id - id - 1 }, (_, i): InjectedCall[] => [
      create,
      [nr.timer_delete, id + 1 + i],
    ]);
    const results = session.run([[nr.timer_delete, id], ...between.flat(), create]);
    if (results.some((one) => one < 0)) return EAGAIN;
  }
  if (id === timer.id) return 0;
  session.run([[nr.timer_delete, id]]);
  return EAGAIN;
}

/** Clocks that wake a sleeping machine need a capability, which no body has: they tick like the others. */
function clockHere(clock: number): number {
  const CLOCK_REALTIME_ALARM = 8;
  const CLOCK_BOOTTIME_ALARM = 9;
  return clock === CLOCK_REALTIME_ALARM ? 0 : clock === CLOCK_BOOTTIME_ALARM ? 7 : clock;
}

/** Makes the timers of an image, disarmed, in a process that has none. @throws Error */
export function createTimers(stub: Stub, task: StoppedTask, { posix }: Timers): void {
  if (posix.length === 0) return;
  using session = stub.borrow(task);
  for (const timer of posix) {
    const result = createTimer(stub, session, timer);
    if (result < 0) throw new Error(`Cannot make timer ${timer.id} of clock ${timer.clock}: error ${-result}`);
  }
}
