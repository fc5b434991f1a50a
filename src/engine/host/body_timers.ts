/** The timers of a body: they run in its kernel (timers.ts), and their signals must get through to threads in calls. */
import type { BodyThread } from './body_thread.ts';
import type { Timers } from '../image/image.ts';
import type { Loop } from '../link/loop.ts';
import { signalIsDue } from '../image/pending_signals.ts';
import { runsIntervals } from '../image/timers.ts';

/** How often it is looked for signals that a timer sent to a thread in a forwarded call, milliseconds. */
const lookEvery = 4;

interface Watched {
  readonly loop: Loop;
  readonly threads: readonly BodyThread[];
  readonly returning: boolean;
  interruptCall(thread: BodyThread): void;
}

export class BodyTimers {
  /** Ids of the timers that run here; others, if there are any, run at home. */
  readonly ids: Set<number>;
  /** Interval timers of CPU time may run. */
  intervals: boolean;
  #cancel: (() => void) | undefined;

  constructor(timers: Timers) {
    this.ids = new Set(timers.posix.map(({ id }) => id));
    this.intervals = runsIntervals(timers);
  }

  /** Nobody says when a timer sends a signal to a thread whose call is being made at home, so it is looked for. */
  watch(body: Watched): void {
    this.#cancel ??= body.loop.after(lookEvery, () => {
      this.#cancel = undefined;
      if (!body.returning) for (const thread of body.threads) if (isWanted(thread)) body.interruptCall(thread);
      this.watch(body);
    });
  }

  stop(): void {
    this.#cancel?.();
  }
}

function isWanted(thread: BodyThread): boolean {
  try {
    return thread.call !== undefined && signalIsDue(thread.hostTid, thread.call.mask);
  } catch {
    return false; // it has ended
  }
}
