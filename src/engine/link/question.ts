/** A question to the other side of a link, one at a time: a frame that another one, with the same id, answers. */
import { frameJson, type Frame, type GuestLink } from './link.ts';
import type { Loop } from './loop.ts';

const answerDeadline = 60_000;

export class Question {
  readonly #loop: Loop;
  #asked = 0;
  #open: { type: number; id: number; resolve: (value: unknown) => void; reject: (error: Error) => void } | undefined;

  constructor(loop: Loop) {
    this.#loop = loop;
  }

  /** @param what the frame's type and content, the type of its answer, and whom it asks. @throws DeadlineExceeded */
  ask<T>(link: GuestLink, what: { type: number; value: unknown; answer: number; whom: string }): Promise<T> {
    const id = ++this.#asked;
    const answer = this.#loop.within<unknown>(answerDeadline, `hear from ${what.whom}`, (resolve, reject) => {
      this.#open = { type: what.answer, id, resolve, reject };
    });
    link.sendJson(what.type, what.value, id);
    return answer as Promise<T>; // cast: the peer has proved the cluster's key; what does not fit fails where it is used
  }

  onAnswer(frame: Frame): void {
    const open = this.#open;
    if (open?.type !== frame.type || open.id !== frame.id) return; // of one that was abandoned
    this.#open = undefined;
    open.resolve(frameJson(frame));
  }

  /** No answer will come, or none is wanted. */
  abandon(error: Error): void {
    this.#open?.reject(error);
    this.#open = undefined;
  }
}
