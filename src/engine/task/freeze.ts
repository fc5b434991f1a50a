/** Stopping all threads of a process at places where they can be captured. */
import { SystemCallError } from '../../sys/errors.ts';
import { canNameThreads } from '../../sys/descriptors.ts';
import { abortCriticalSection } from './critical_section.ts';
import { deliverAndStop } from '../../sys/own_stops.ts';
import {
  childrenOfThread,
  exists,
  hasEnded,
  livingThread,
  mappings,
  statFieldsIfAny,
  status as procStatus,
  threadIds,
} from '../../sys/procfs.ts';
import { ESRCH, reap, RunningTask, TaskEnded, traceOption } from '../../sys/ptrace.ts';
import { kernel } from '../../sys/kernel.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { readClock } from './clocks.ts';
import { frozenTask, type FrozenTask } from './frozen_task.ts';
import { DeadlineExceeded, type Loop } from '../link/loop.ts';
import { observeSleep, type Sleep } from './sleep.ts';
import { goesOnWithUnknown, restartedCallOf } from './restarted_call.ts';
import { beginOfSleep, letGo, stopOne, stopsHere } from './stop_thread.ts';
import { thaw } from './thaw.ts';
import { Vdso } from './vdso.ts';

export const deputyOptions =
  traceOption.calls | traceOption.clone | traceOption.fork | traceOption.vfork | traceOption.exec;

/** The process cannot be frozen now; it goes on as it was. */
export class CannotFreeze extends Error {
  readonly code: 'traced' | 'no-such-process' | 'stays-home' | 'busy';
  constructor(pid: number, code: CannotFreeze['code'], reason: string) {
    super(`Cannot freeze process ${pid}: ${reason}`);
    this.name = 'CannotFreeze';
    this.code = code;
  }
}

const KCMP_VM = 1;

function sharesMemory(pid: number, other: number): boolean {
  return pid > 0 && other > 0 && kernel.call(nr.kcmp, pid, other, KCMP_VM, 0, 0) === 0;
}

/** Between vfork and exec a process has its parent's memory: this passes. @throws CannotFreeze */
function refuseBorrower(pid: number): void {
  const fields = statFieldsIfAny(pid);
  if (fields && sharesMemory(fields(3) === 'Z' ? (livingThread(pid) ?? 0) : pid, Number(fields(4))))
    throw new CannotFreeze(pid, 'busy', 'it uses the memory of its parent (vfork)');
}

/** Threads that wait for a vfork: nothing stops them before it is over, and the others need not stand still for that. */
function waitForVfork(pid: number, tid: number): boolean {
  return childrenOfThread(pid, tid).some((child) => sharesMemory(tid, child));
}

/** Waits until a task that is on its way to its end has got there. @throws DeadlineExceeded */
export async function untilEnded(loop: Loop, tid: number, milliseconds: number): Promise<void> {
  for (const start = performance.now(); !hasEnded(tid); await loop.sleep(1))
    if (performance.now() - start > milliseconds) throw new DeadlineExceeded(`see task ${tid} end`, milliseconds);
}

/** How long a thread may take to stop, milliseconds: one that waits uninterruptibly does not. */
const stopDeadline = 3000;
/** Looks at the list of threads until all are stopped. One is enough if none is made or ends meanwhile. */
const maximumRounds = 500;

/**
 * Seizes and stops all threads. On failure everything is let go again.
 * @returns all that live, the main thread first, the others by id
 */
export async function freezeProcess(loop: Loop, pid: number): Promise<FrozenTask[]> {
  const frozen = new Map<number, FrozenTask>();
  const asked = new Set<number>();
  refuseBorrower(pid);
  try {
    for (let round = 0, done = false; !done; round++) {
      if (round > maximumRounds) throw new CannotFreeze(pid, 'stays-home', 'its threads come and go too fast');
      const found = await freezeNew(loop, pid, frozen, asked);
      if (found) continue;
      // The list breaks off at a thread that ends while it is read (next_tid in fs/proc/base.c): only the count is sure.
      if (frozen.size < threadCount(pid)) await loop.sleep(1);
      else done = !leaveVdso(frozen);
    }
    if (frozen.size === 0) throw new CannotFreeze(pid, 'no-such-process', 'it has ended');
    if (!frozen.has(pid) && !canNameThreads)
      throw new CannotFreeze(pid, 'stays-home', 'its main thread has ended, and this kernel is older than Linux 6.9');
    refuseBorrower(pid);
    // Not before: a thread that is made during the freeze would be traced from its birth, and stop unasked.
    for (const { task } of frozen.values()) task.setOptions(deputyOptions);
    for (const { task } of frozen.values()) abortCriticalSection(task);
  } catch (error) {
    thaw(loop, pid, [...frozen.values()]);
    for (const tid of asked) letGo(loop, tid);
    if (!exists(pid)) throw new CannotFreeze(pid, 'no-such-process', 'it has ended');
    if (error instanceof DeadlineExceeded) throw new CannotFreeze(pid, 'busy', 'a thread of it does not stop');
    throw error;
  }
  return [...frozen.values()].sort((a, b) =>
    a.task.tid === pid ? -1 : b.task.tid === pid ? 1 : a.task.tid - b.task.tid,
  );
}

/** How many threads a process has, those that are ending included, but not a main thread that has ended. */
function threadCount(pid: number): number {
  const fields = statFieldsIfAny(pid);
  return Number(fields?.(20) ?? 0) - (fields?.(3) === 'Z' ? 1 : 0);
}

function withRestartedCall(frozen: FrozenTask): FrozenTask | undefined {
  if (!goesOnWithUnknown(frozen)) return frozen;
  const found = restartedCallOf(frozen.task);
  return found && { ...found, since: readClock('monotonic') };
}

/** Stops the threads that are not stopped yet; `asked` are those that have still to stop. @returns whether there were any */
async function freezeNew(
  loop: Loop,
  pid: number,
  frozen: Map<number, FrozenTask>,
  asked: Set<number>,
): Promise<boolean> {
  const sleeps = new Map<number, Sleep | undefined>();
  const left = threadIds(pid).filter((tid) => !frozen.has(tid));
  const lending = left.filter((tid) => waitForVfork(pid, tid));
  for (const tid of lending.length ? lending : left) {
    const sleep = observeSleep(tid);
    const task = RunningTask.seize(tid, traceOption.calls);
    if (task instanceof SystemCallError) {
      if (task.errno !== ESRCH) refuseTraced(pid, tid);
      continue; // it ends
    }
    task.interrupt(); // at once: to a traced task signals come that it ignores
    asked.add(tid);
    sleeps.set(tid, sleep);
  }
  for (const [tid, sleep] of sleeps) {
    const stopped = await stopOne(loop, new RunningTask(tid), stopDeadline);
    asked.delete(tid);
    const entry = stopped && withRestartedCall({ ...stopped, ...beginOfSleep(stopped, sleep) });
    if (!entry) continue;
    frozen.set(tid, entry);
    if (goesOnWithUnknown(entry)) throw new CannotFreeze(pid, 'busy', 'it is just going on with an interrupted call');
  }
  return sleeps.size > 0;
}

/** A thread that could not be seized: one that is just ending cannot be either, and is no reason to give up. */
function refuseTraced(pid: number, tid: number): void {
  let fields: Map<string, string>;
  try {
    fields = procStatus(tid);
  } catch {
    return; // it has ended
  }
  if (/^[ZX]/.test(fields.get('State') ?? 'X')) return;
  const tracer = Number(fields.get('TracerPid') ?? 0);
  if (tracer !== 0 && processOf(tracer) === process.pid)
    throw new CannotFreeze(pid, 'busy', 'it waits at home for a vfork, or for an earlier attempt to end');
  const reason =
    tracer === 0
      ? 'the kernel does not let it be traced'
      : `it is already traced by process ${tracer} (a debugger or strace?)`;
  throw new CannotFreeze(pid, 'traced', reason);
}

/** The process that a thread belongs to: TracerPid names the tracing thread, and ours are the engine's workers. */
function processOf(tid: number): number {
  try {
    return Number(procStatus(tid).get('Tgid') ?? 0);
  } catch {
    return 0;
  }
}

/** Gets all threads out of the vDSO. @returns whether any ran the program's own code meanwhile */
function leaveVdso(frozen: Map<number, FrozenTask>): boolean {
  const [view] = frozen.keys();
  if (view === undefined) return false;
  const vdso = new Vdso(view, mappings(view));
  let anyBeyond = false;
  for (const [tid, entry] of frozen) {
    if (!vdso.holds(entry.task)) continue;
    let { at: outside, beyond } = vdso.leave(entry);
    while (outside?.pendingSignal && stopsHere(outside.task)) {
      outside = frozenTask(deliverAndStop(outside.task).waitStop());
      beyond = true;
    }
    anyBeyond ||= beyond;
    if (outside) frozen.set(tid, { ...outside, ...beginOfSleep(outside, undefined) });
    else frozen.delete(tid);
  }
  return anyBeyond;
}

/** @throws TaskEnded: a frozen task may have been killed meanwhile (SIGKILL works on stopped tasks). */
export function assertAlive(frozen: readonly FrozenTask[]): void {
  for (const { task } of frozen) {
    const status = reap(task.tid);
    if (status) throw new TaskEnded(task.tid, status);
  }
}
