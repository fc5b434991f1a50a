/**
 * One suspicion: who accuses, until when the suspect may answer, and when it is asked.
 *
 * Nobody is declared dead by hearsay. Who has got no answer itself asks again and again until the deadline; who has only heard
 * of the suspicion waits longer, and asks before it judges. The deadline comes nearer as others confirm that they got no
 * answer, either (Lifeguard's LHA-suspicion).
 */
import type { Tunables } from './tunables.ts';

/** Questions before a verdict of somebody who has only heard of the suspicion. */
const LAST_APPEALS = 3;

export interface SuspicionBegin {
  slot: number;
  incarnation: number;
  /** When the unanswered question was put, or when we heard of the suspicion. */
  begun: number;
  /** We got no answer ourselves. */
  own: boolean;
  /** Milliseconds by which this node judges later than the accusers while it is no accuser itself. */
  hearsayMs: number;
}

export class Suspicion {
  readonly slot: number;
  readonly incarnation: number;
  readonly accusers: number[] = [];
  /** When the verdict falls, unless the suspect is heard of. */
  deadline = 0;
  /** When the suspect is asked next. */
  nextAppeal = 0;
  #own: boolean;
  #begun: number;
  readonly #hearsayMs: number;
  readonly #tunables: Tunables;

  constructor({ slot, incarnation, begun, own, hearsayMs }: SuspicionBegin, tunables: Tunables) {
    this.slot = slot;
    this.incarnation = incarnation;
    this.#begun = begun;
    this.#own = own;
    this.#hearsayMs = hearsayMs;
    this.#tunables = tunables;
    this.#reckon(begun);
  }

  /** When something is to be done next. */
  get due(): number {
    return Math.min(this.deadline, this.nextAppeal);
  }

  /** Somebody else got no answer. @returns whether that is news */
  confirm(accuser: number, now: number): boolean {
    if (this.accusers.length > this.#tunables.confirmations || this.accusers.includes(accuser)) return false;
    this.accusers.push(accuser);
    this.#reckon(now);
    return true;
  }

  /** We got no answer ourselves. */
  makeOwn(now: number): void {
    if (this.#own) return;
    this.#own = true;
    this.#reckon(now);
  }

  /** This node stood still, and so does the time of those that it judges. */
  pause(milliseconds: number): void {
    this.#begun += milliseconds;
    this.deadline += milliseconds;
    this.nextAppeal += milliseconds;
  }

  /** The suspect has just been asked. */
  appealed(now: number): void {
    this.nextAppeal = now + (this.#own ? this.#tunables.appealMs : this.#tunables.appealMs / LAST_APPEALS);
  }

  #reckon(now: number): void {
    const { askMs, helpMs, appealMs } = this.#tunables;
    const time = suspicionTime(this.accusers.length, this.#tunables);
    this.deadline = this.#begun + time + askMs + helpMs + (this.#own ? 0 : this.#hearsayMs);
    // Nobody is judged without having been asked, however late the deadline has come nearer.
    if (this.#own) this.nextAppeal = Math.min(this.nextAppeal || now, now);
    else this.nextAppeal = Math.max(now, this.deadline - appealMs);
    this.deadline = Math.max(this.deadline, this.nextAppeal + appealMs);
  }
}

/**
 * Milliseconds for a suspect to answer: max − (max − min) · log(C + 1) / log(K + 1) with C others who confirm (Lifeguard, §IV-B).
 * @param accusers With the first.
 */
export function suspicionTime(accusers: number, { suspicionMs, suspicionFactor, confirmations }: Tunables): number {
  const confirmed = Math.max(0, accusers - 1);
  const share = Math.min(1, Math.log(confirmed + 1) / Math.log(confirmations + 1));
  const most = suspicionMs * suspicionFactor;
  return most - (most - suspicionMs) * share;
}
