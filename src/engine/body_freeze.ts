/** Stopping all threads of a body for the way home, also those that end or are born meanwhile. */
import { mappings } from '../sys/procfs.ts';
import type { StoppedTask } from '../sys/ptrace.ts';
import type { BodyThread } from './body_thread.ts';
import { sleepingFor } from './freeze.ts';
import { frozenTask, type FrozenTask } from './frozen_task.ts';
import type { Loop } from './loop.ts';
import { Vdso } from './vdso.ts';

export interface FreezableBody {
  readonly loop: Loop;
  /** The process id as the hosting node sees it. */
  readonly hostPid: number;
  /** Its threads at any moment. */
  readonly threads: readonly BodyThread[];
  /** Asks home to end the call of a thread; its stop follows. */
  interruptCall(thread: BodyThread): void;
}

export interface FrozenThread extends FrozenTask {
  thread: BodyThread;
}

/** The body takes no new calls any more. @throws DeadlineExceeded */
export async function freezeBody(body: FreezableBody, milliseconds: number): Promise<FrozenThread[]> {
  const asked = new Set<BodyThread>();
  const stops: { thread: BodyThread; stop: StoppedTask | undefined }[] = [];
  // A thread that home had made already is born here meanwhile, stopped.
  for (let more = [...body.threads]; more.length; more = body.threads.filter((thread) => !asked.has(thread))) {
    for (const thread of more) asked.add(thread);
    const waits = more.map(async (thread) => ({ thread, stop: await stopThread(body, thread, milliseconds) }));
    stops.push(...(await Promise.all(waits)));
  }
  const out: FrozenThread[] = [];
  const vdso = new Vdso(body.hostPid, mappings(body.hostPid));
  for (const { thread, stop } of stops) {
    if (!stop || !body.threads.includes(thread)) continue; // it has ended
    const frozen = vdso.leave(frozenTask(stop));
    if (frozen) out.push({ ...frozen, thread });
  }
  return out;
}

async function stopThread(
  body: FreezableBody,
  thread: BodyThread,
  milliseconds: number,
): Promise<StoppedTask | undefined> {
  if (thread.held) return thread.held;
  const next = thread.nextStop(body.loop, milliseconds);
  if (thread.call) body.interruptCall(thread);
  else {
    thread.waitedHere = sleepingFor(thread.hostTid);
    thread.running.interrupt();
  }
  return next;
}
