/** Stopping all threads of a process at places where they can be captured. */
import { SystemCallError } from '../sys/errors.ts';
import fs from 'node:fs';
import { childrenOfThread, exists, mappings, statFields, status as procStatus, threadIds } from '../sys/procfs.ts';
import {
  ESRCH,
  eventWithin,
  reap,
  RunningTask,
  StoppedTask,
  TaskEnded,
  traceOption,
  type TaskStatus,
} from '../sys/ptrace.ts';
import { kernel } from '../sys/kernel.ts';
import { arena, scratch } from '../sys/memory.ts';
import { nr } from '../sys/x64/numbers.ts';
import { frozenTask, type FrozenTask } from './frozen_task.ts';
import { DeadlineExceeded, type Loop } from './loop.ts';
import { Vdso } from './vdso.ts';

export const deputyOptions = traceOption.clone | traceOption.fork | traceOption.vfork | traceOption.exec;

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
  return other > 0 && kernel.call(nr.kcmp, pid, other, KCMP_VM, 0, 0) === 0;
}

/** Between vfork and exec a process has its parent's memory: this passes. @throws CannotFreeze */
function refuseBorrower(pid: number): void {
  if (sharesMemory(pid, Number(statFields(pid)(4))))
    throw new CannotFreeze(pid, 'busy', 'it uses the memory of its parent (vfork)');
}

/** Threads that wait for a vfork: nothing stops them before it is over, and the others need not stand still for that. */
function waitForVfork(pid: number, tid: number): boolean {
  return childrenOfThread(pid, tid).some((child) => sharesMemory(pid, child));
}

/** Waits asynchronously for a task's stop. @throws TaskEnded, DeadlineExceeded */
export async function untilStopped(loop: Loop, task: RunningTask, milliseconds: number): Promise<StoppedTask> {
  const status = await untilEvent(loop, task.tid, milliseconds);
  if (status.kind !== 'stopped') throw new TaskEnded(task.tid, status);
  return new StoppedTask(task.tid, status.signal, status.event);
}

async function untilEvent(loop: Loop, tid: number, milliseconds: number): Promise<TaskStatus> {
  // Most tasks stop within microseconds; only those that sleep uninterruptibly are waited for through the loop.
  const soon = loop.takeUnclaimed(tid) ?? eventWithin(tid, 2);
  if (soon) return soon;
  try {
    return await loop.within<TaskStatus>(milliseconds, `stop task ${tid}`, (resolve) => loop.onTask(tid, resolve));
  } finally {
    loop.forgetTask(tid);
  }
}

/** Looks at the list of threads until all are stopped. One is enough if none is made or ends meanwhile. */
const maximumRounds = 500;

/**
 * Seizes and stops all threads. On failure everything is let go again.
 * @returns the main thread first, the others by id
 */
export async function freezeProcess(loop: Loop, pid: number): Promise<FrozenTask[]> {
  const frozen = new Map<number, FrozenTask>();
  const asked = new Set<number>();
  refuseBorrower(pid);
  try {
    for (let round = 0, done = false; !done; round++) {
      if (round > maximumRounds) throw new CannotFreeze(pid, 'stays-home', 'its threads come and go too fast');
      const found = await freezeNew(loop, pid, frozen, asked);
      if (!frozen.has(pid)) throw new CannotFreeze(pid, 'stays-home', 'its main thread has ended');
      if (found) continue;
      // The list breaks off at a thread that ends while it is read (next_tid in fs/proc/base.c): only the count is sure.
      if (frozen.size < threadCount(pid)) await loop.sleep(1);
      else done = !leaveVdso(pid, frozen);
    }
    refuseBorrower(pid);
    // Not before: a thread that is made during the freeze would be traced from its birth, and stop unasked.
    for (const { task } of frozen.values()) task.setOptions(deputyOptions);
  } catch (error) {
    thaw([...frozen.values()]);
    for (const tid of asked) letGo(loop, tid);
    if (!exists(pid)) throw new CannotFreeze(pid, 'no-such-process', 'it has ended');
    if (error instanceof DeadlineExceeded) throw new CannotFreeze(pid, 'busy', 'a thread of it does not stop');
    throw error;
  }
  return [...frozen.values()].sort((a, b) =>
    a.task.tid === pid ? -1 : b.task.tid === pid ? 1 : a.task.tid - b.task.tid,
  );
}

/** How many threads a process has, those that are ending included. */
function threadCount(pid: number): number {
  return Number(procStatus(pid).get('Threads') ?? 0);
}

/** Stops the threads that are not stopped yet; `asked` are those that have still to stop. @returns whether there were any */
async function freezeNew(
  loop: Loop,
  pid: number,
  frozen: Map<number, FrozenTask>,
  asked: Set<number>,
): Promise<boolean> {
  const waits = new Map<number, number | undefined>();
  const left = threadIds(pid).filter((tid) => !frozen.has(tid));
  const lending = left.filter((tid) => waitForVfork(pid, tid));
  for (const tid of lending.length ? lending : left) {
    const task = RunningTask.seize(tid, 0);
    if (task instanceof SystemCallError) {
      if (task.errno !== ESRCH) refuseTraced(pid, tid);
      continue; // it ends
    }
    asked.add(tid);
    waits.set(tid, sleepingFor(tid));
    task.interrupt();
  }
  for (const [tid, waited] of waits) {
    const stopped = await stopOne(loop, new RunningTask(tid));
    asked.delete(tid);
    if (stopped) frozen.set(tid, { ...stopped, waited });
  }
  return waits.size > 0;
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

/** Lets go of a thread that has not stopped in time, as soon as it does. */
function letGo(loop: Loop, tid: number): void {
  loop.onTask(tid, (event) => {
    loop.forgetTask(tid);
    if (event.kind === 'stopped')
      new StoppedTask(tid, event.signal, event.event).detach(event.event ? 0 : event.signal);
  });
}

/** When a task last ran, on the scheduler's clock, milliseconds (se.exec_start in /proc/PID/sched). */
function lastRan(tid: number | 'thread-self'): number | undefined {
  try {
    const text = /^se\.exec_start\s*:\s*([\d.]+)/m.exec(fs.readFileSync(`/proc/${tid}/sched`, 'latin1'))?.[1];
    return text === undefined ? undefined : Number(text);
  } catch {
    return undefined;
  }
}

const affinitySize = 128;
const affinityAt = scratch(2 * affinitySize);

/** Runs `body` on one CPU; the scheduler's clocks of different CPUs drift apart by the time that a hypervisor takes. */
function onCpu<T>(cpu: number, body: () => T): T {
  const mask = arena.address + affinityAt;
  const got = kernel.call(nr.sched_getaffinity, 0, affinitySize, mask);
  arena.u8.fill(0, affinityAt + affinitySize, affinityAt + 2 * affinitySize);
  arena.u8[affinityAt + affinitySize + (cpu >> 3)] = 1 << (cpu & 7);
  kernel.call(nr.sched_setaffinity, 0, affinitySize, mask + affinitySize);
  try {
    return body();
  } finally {
    if (got > 0) kernel.call(nr.sched_setaffinity, 0, got, mask);
  }
}

function statFieldsOf(tid: number): ((index: number) => string) | undefined {
  try {
    return statFields(tid);
  } catch {
    return undefined; // it has ended
  }
}

/** How long a sleeping task has slept, milliseconds. */
export function sleepingFor(tid: number): number | undefined {
  const field = statFieldsOf(tid);
  if (!field) return undefined;
  const lastCpu = Number(field(39));
  if (field(3) !== 'S' || lastCpu >= affinitySize * 8) return undefined;
  const since = lastRan(tid);
  const now = onCpu(lastCpu, () => {
    kernel.call(nr.sched_yield); // brings our own entry up to date: the present on the same clock
    return lastRan('thread-self');
  });
  return since === undefined || now === undefined ? undefined : Math.max(0, now - since);
}

async function stopOne(loop: Loop, task: RunningTask): Promise<FrozenTask | undefined> {
  try {
    return frozenTask(await untilStopped(loop, task, 3000));
  } catch (error) {
    if (error instanceof TaskEnded) return undefined;
    throw error;
  }
}

/** Gets all threads out of the vDSO. @returns whether any ran meanwhile */
function leaveVdso(pid: number, frozen: Map<number, FrozenTask>): boolean {
  const vdso = new Vdso(pid, mappings(pid));
  const inside = [...frozen].filter(([, { task }]) => vdso.holds(task));
  for (const [tid, entry] of inside) {
    const outside = vdso.leave(entry);
    if (outside) frozen.set(tid, outside);
    else frozen.delete(tid);
  }
  return inside.length > 0;
}

/** Lets stopped threads go on untraced. */
export function thaw(threads: readonly FrozenTask[]): void {
  for (const { task, pendingSignal } of threads) task.detach(pendingSignal?.signal ?? 0);
}

/** @throws TaskEnded: a frozen task may have been killed meanwhile (SIGKILL works on stopped tasks). */
export function assertAlive(frozen: readonly FrozenTask[]): void {
  for (const { task } of frozen) {
    const status = reap(task.tid);
    if (status) throw new TaskEnded(task.tid, status);
  }
}
