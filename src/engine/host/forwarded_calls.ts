/** Calls that are made at home although the body's engine has something to do with them. */
import { planForwarded } from '../../sys/marshal.ts';
import { nameOf } from '../../sys/syscalls.ts';
import { bodyMemory, plannedCall, type BodyCall } from './body_call.ts';
import type { BodyHost } from './body_host.ts';
import type { BodyThread } from './body_thread.ts';

/** Made at home as the table describes them. */
export function plainForward(body: BodyHost, thread: BodyThread, call: BodyCall): void {
  forwardThen(body, thread, call, (result) => result);
}

/** Makes the call at home, then changes the result before the program sees it. */
export function forwardThen(
  body: BodyHost,
  thread: BodyThread,
  call: BodyCall,
  after: (result: number) => number,
): void {
  forwardAnd(body, thread, call, (result, made) => body.finish(thread, made, after(result)));
}

/** Makes the call at home; what comes then is up to `then`, which answers the call that was made. */
export function forwardAnd(
  body: BodyHost,
  thread: BodyThread,
  call: BodyCall,
  then: (result: number, made: BodyCall) => void,
): void {
  const plan = planForwarded(call.nr, call.args, bodyMemory(body.hostPid));
  if (plan.kind !== 'forward') return body.comeHome(thread, nameOf(call.nr));
  const forwarded = plannedCall(call, plan);
  forwarded.onResult = (result) => then(result, thread.call ?? forwarded);
  body.forward(thread, forwarded);
}
