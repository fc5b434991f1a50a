/** Home's side of what a body uses (body_use.ts): asked when somebody looks, and told when it begins and before it ends. */
import { frameType } from '../../wire/frames.ts';
import type { BodyUse } from '../image/body_figures.ts';
import { addCounts, type CallCounts } from '../image/call_statistics.ts';
import { frameJson, LinkClosed, type Frame, type GuestLink } from '../link/link.ts';
import type { Loop } from '../link/loop.ts';

/** Milliseconds that a look may take; after that the figures are those of the last one. */
const lookDeadline = 150;
/** How long a hosting node may take from `go` until its body runs. */
const beginDeadline = 30_000;

/** Home's side. */
export class BodyGauge {
  readonly #loop: Loop;
  /** CPU time before it left. */
  readonly #before: number;
  #use: BodyUse = { memoryBytes: 0, cpuTime: 0, calls: [] };
  /** Of the nodes where it was before. */
  #earlierCalls: CallCounts = [];
  #waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];

  constructor(loop: Loop, cpuTimeBefore: number) {
    this.#loop = loop;
    this.#before = cpuTimeBefore;
  }

  get memoryBytes(): number {
    return this.#use.memoryBytes;
  }

  /** CPU time used away, nanoseconds. */
  get cpuTimeAway(): number {
    return Math.max(0, this.#use.cpuTime - this.#before);
  }

  /** All calls of this stay away, on whichever nodes. */
  get calls(): CallCounts {
    return addCounts(this.#earlierCalls, this.#use.calls);
  }

  /** The body leaves its node, and has made these calls there; `on`: to go on to another one. */
  leaves(calls: CallCounts, on: boolean): void {
    this.#use.calls = calls;
    if (!on) return;
    this.#earlierCalls = this.calls;
    this.#use.calls = [];
  }

  onTold(frame: Frame): void {
    this.#use = frameJson(frame);
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  /** The body is home, or cannot be heard any more. */
  end(cpuTime: number | undefined, error: Error): void {
    if (cpuTime !== undefined) this.#use.cpuTime = cpuTime;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  /** Brings the figures up to date. Never rejects. */
  async look(link: GuestLink): Promise<void> {
    link.sendFrame(frameType.measure, 0);
    await this.#next(lookDeadline).catch(() => {});
  }

  /** Settles when the body runs. @throws LinkClosed, DeadlineExceeded */
  async begins(node: string): Promise<void> {
    try {
      await this.#next(beginDeadline);
    } catch (error) {
      throw error instanceof LinkClosed ? error : new LinkClosed(node, String(error));
    }
  }

  #next(milliseconds: number): Promise<void> {
    return this.#loop.within<void>(milliseconds, 'hear of the body', (resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }
}
