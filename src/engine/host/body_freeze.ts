/** Stopping all threads of a body for the way home, also those that end or are born meanwhile. */
import { mappings } from '../../sys/procfs.ts';
import { eventWithin, type StoppedTask, type TaskStatus } from '../../sys/ptrace.ts';
import { nr } from '../../sys/x64/numbers.ts';
import type { BodyThread } from './body_thread.ts';
import { abortCriticalSection } from '../task/critical_section.ts';
import { untilEnded } from '../task/freeze.ts';
import { beginOfSleep } from '../task/stop_thread.ts';
import { frozenTask, type FrozenTask } from '../task/frozen_task.ts';
import type { Loop } from '../link/loop.ts';
import { endWait, restoreMask } from './masked_waits.ts';
import { repeatUnseen } from './repeated_calls.ts';
import { takeMark } from '../task/marked_calls.ts';
import { observeSleep, type Sleep } from '../task/sleep.ts';
import { Vdso } from '../task/vdso.ts';

export interface FreezableBody {
  readonly loop: Loop;
  /** A living thread by which the hosting node shows its memory. */
  readonly hostPid: number;
  /** Its threads at any moment. */
  readonly threads: readonly BodyThread[];
  /** Threads that are on their way through exit(2). */
  readonly ending: ReadonlySet<BodyThread>;
  /** Asks home to end the call of a thread; its stop follows. */
  interruptCall(thread: BodyThread): void;
  /** A thread has stopped or ended. */
  onEvent(thread: BodyThread, status: TaskStatus): void;
}

export interface FrozenThread extends FrozenTask {
  thread: BodyThread;
  /** On this host's CLOCK_MONOTONIC. */
  since: bigint;
  restartOf: number;
}

/** The body takes no new calls any more. @throws DeadlineExceeded */
export async function freezeBody(body: FreezableBody, milliseconds: number): Promise<FrozenThread[]> {
  // What a thread does at its end (its id word, its robust list) must be in the memory that is captured.
  for (const thread of body.ending) await untilEnded(body.loop, thread.hostTid, milliseconds);
  const asked = new Set<BodyThread>();
  const stops: { thread: BodyThread; stop: StoppedTask | undefined; sleep: Sleep | undefined }[] = [];
  // A thread that home had made already is born here meanwhile, stopped.
  for (let more = [...body.threads]; more.length; more = body.threads.filter((thread) => !asked.has(thread))) {
    for (const thread of more) asked.add(thread);
    const waits = more.map(async (thread) => ({ thread, ...(await stopThread(body, thread, milliseconds)) }));
    lookForStops(body, more);
    stops.push(...(await Promise.all(waits)));
  }
  const out: FrozenThread[] = [];
  const vdso = new Vdso(body.hostPid, mappings(body.hostPid));
  for (const { thread, stop, sleep } of stops) {
    if (!stop || !body.threads.includes(thread)) continue; // it has ended
    const stopped = frozenTask(stop);
    const { at } = vdso.leave(stopped);
    if (!at) continue;
    const { letsIn } = thread;
    restoreMask(thread, at.task);
    const known = takeMark(at.task, at.task.registers());
    repeatUnseen(thread, at.task);
    endWait(thread, at, letsIn);
    abortCriticalSection(at.task);
    const registers = at.task.registers();
    const noted = thread.waitsSince(registers) ?? known?.since;
    const since = noted ?? beginOfSleep(at, at === stopped ? sleep : undefined).since;
    thread.noteStop(registers, since); // it may stay here after all
    const written = thread.cutWrite?.written ?? 0;
    // Of the calls that go on by restart_syscall(2) only a futex's wait can have begun here.
    const restartOf = thread.restartOf || nr.futex;
    out.push({ ...at, thread, since, restartOf, beginKnown: true, written });
  }
  return out;
}

/** Milliseconds. Most threads stop within microseconds; the loop hears of the others, but takes its time. */
const closeLook = 2;

function lookForStops(body: FreezableBody, threads: readonly BodyThread[]): void {
  const until = performance.now() + closeLook;
  for (const thread of threads) {
    if (thread.call || thread.held) continue;
    const status = eventWithin(thread.hostTid, until - performance.now());
    if (status) body.onEvent(thread, status);
  }
}

async function stopThread(
  body: FreezableBody,
  thread: BodyThread,
  milliseconds: number,
): Promise<{ stop: StoppedTask | undefined; sleep: Sleep | undefined }> {
  if (thread.held) return { stop: thread.held, sleep: undefined };
  const next = thread.nextStop(body.loop, milliseconds);
  const sleep = thread.call ? undefined : observeSleep(thread.hostTid);
  if (thread.call) body.interruptCall(thread);
  else thread.running.interrupt();
  return { stop: await next, sleep };
}
