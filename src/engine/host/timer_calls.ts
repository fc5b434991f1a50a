/** Calls of a body that make and set timers: these run here, and home keeps the ids (timers.ts). */
import type { ProcessTimer } from '../../sys/procfs.ts';
import { peek } from '../../sys/remote_memory.ts';
import type { BodyCall } from './body_call.ts';
import type { BodyHost, SpecialCall } from './body_host.ts';
import type { BodyThread } from './body_thread.ts';
import { forwardAnd, plainForward } from './forwarded_calls.ts';
import { bitOf } from '../image/pending_signals.ts';
import { createTimer } from '../image/timers.ts';

const intArgument = (call: BodyCall, index: number): number => Number(BigInt.asIntN(32, call.args[index]));

/** What a struct sigevent says; without one it is SIGALRM with the id (timer_create(2)). */
function timerOfEvent(id: number, clock: number, event: Buffer | undefined): ProcessTimer {
  const SIGALRM = 14;
  if (!event) return { id, clock, signal: SIGALRM, value: id.toString(16), notify: 'signal', tid: 0 };
  const SIGEV_NONE = 1;
  const SIGEV_THREAD_ID = 4;
  const notify = event.readInt32LE(12);
  return {
    id,
    clock,
    signal: event.readInt32LE(8),
    value: event.readBigUInt64LE(0).toString(16),
    notify: (notify & ~SIGEV_THREAD_ID) === SIGEV_NONE ? 'none' : 'signal',
    tid: (notify & SIGEV_THREAD_ID) === 0 ? 0 : event.readInt32LE(16),
  };
}

/** A call about one timer is made where that runs. */
function whereItRuns(body: BodyHost, thread: BodyThread, call: BodyCall): void {
  if (body.timers.ids.has(intArgument(call, 0))) body.letThrough(thread, call);
  else plainForward(body, thread, call);
}

export const timerCalls = {
  timer_create: (body, thread, call) => {
    if (thread.lodger) return body.comeHome(thread, 'timer_create behind vfork');
    const [, at, idAt] = call.args.map(Number);
    const event = at === 0 ? undefined : Buffer.from(peek(body.hostPid, at, 64));
    forwardAnd(body, thread, call, (result, made) => {
      const id = Buffer.from(peek(body.hostPid, idAt, 4));
      if (result !== 0 || id.length < 4 || (event && event.length < 64)) return body.finish(thread, made, result);
      const timer = timerOfEvent(id.readInt32LE(), intArgument(call, 0), event);
      if (timer.notify !== 'none' && (body.heldSignals & bitOf(timer.signal)) !== 0n)
        return body.finish(thread, made, result);
      body.takeOver(thread, made, (session) => {
        const failed = createTimer(body.stub, session, timer);
        if (failed === 0) body.timers.ids.add(timer.id);
        body.timers.watch(body);
        return failed;
      });
    });
  },
  timer_settime: whereItRuns,
  timer_gettime: whereItRuns,
  timer_getoverrun: whereItRuns,
  timer_delete: (body, thread, call) =>
    forwardAnd(body, thread, call, (result, made) => {
      if (result === 0 && body.timers.ids.delete(intArgument(call, 0))) body.letThrough(thread, made);
      else body.finish(thread, made, result);
    }),
  setitimer: (body, thread, call) => {
    if (thread.lodger) return body.comeHome(thread, 'setitimer of CPU time behind vfork');
    body.timers.intervals = true;
    body.timers.watch(body);
    body.letThrough(thread, call);
  },
  getitimer: (body, thread, call) => {
    body.letThrough(thread, call);
  },
} satisfies Readonly<Record<string, SpecialCall>>;
