/**
 * How long a request may still wait at home: it may have waited before it came (its call was cut short and is made
 * again), and a signal at home may cut it short once more.
 */
import { peek, poke } from '../../sys/remote_memory.ts';
import type { PendingRequest } from './deputy_thread.ts';
import { socketTime } from '../task/socket_waits.ts';
import { millisecondsLeft, readTime, timeoutOf, timeStruct, timeStructSize } from '../task/timed_waits.ts';

/** What has to be done so that a request waits for the rest of its time. */
export interface Rest {
  /** An argument of the call that has another value now. */
  argument?: { index: number; value: number };
  /** Nothing in the call says how long it waits: the engine has to end it, after so many milliseconds. */
  endAfter?: number;
}

/** The rest of a request's time. Time-outs in memory are changed there. */
export function restOf(pid: number, request: PendingRequest): Rest {
  const { wire, args } = request;
  const timeout = timeoutOf(wire.nr, wire.args);
  if (!timeout) return {};
  const elapsed = BigInt(Math.floor((performance.now() - request.began) * 1e6));
  switch (timeout.kind) {
    case 'milliseconds':
      return { argument: { index: timeout.argument, value: millisecondsLeft(timeout.milliseconds, elapsed) } };
    case 'timespec':
    case 'counted': {
      const address = Number(args[timeout.argument]);
      const fraction = timeout.kind === 'counted' ? timeout.fraction : 1;
      const bytes = peek(pid, address, timeStructSize);
      if (bytes.length < timeStructSize) return {};
      request.total ??= readTime(bytes, fraction);
      poke(pid, address, timeStruct(request.total - elapsed, fraction));
      return {};
    }
    case 'socket': {
      request.total ??= socketTime({ pid, ...wire }) ?? 0n;
      return request.total === 0n ? {} : { endAfter: Math.max(1, Number(request.total - elapsed) / 1e6) };
    }
  }
}
