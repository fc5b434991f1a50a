/**
 * One suspicion: who accuses, until when the suspect may answer, and when it is asked.
 *
 * Nobody is declared dead by hearsay, but only by a node that has asked it again and again for the whole time and got no
 * answer. Whoever has only heard of the suspicion waits for the verdict or the refutation; if neither comes, all accusers may
 * have died, and it begins to ask itself. The deadline comes nearer as others confirm that they got no answer, either
 * (Lifeguard's LHA-suspicion).
 */
import type { Tunables } from './tunables.ts';

export interface SuspicionBegin {
  slot: number;
  incarnation: number;
  /** When the unanswered question was put, or when we heard of the suspicion. */
  begun: number;
  /** We got no answer ourselves. */
  own: boolean;
  /** Milliseconds for which this node waits for the accusers' verdict beyond its time. */
  hearsayMs: number;
}

export class Suspicion {
  readonly slot: number;
  readonly incarnation: number;
  readonly accusers: number[] = [];
  /** When the verdict falls, or this node begins to ask itself, unless the suspect is heard of. */
  deadline = 0;
  /** When the suspect is asked next. */
  nextAppeal = Infinity;
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
    if (own) this.nextAppeal = begun;
    this.#reckon();
  }

  get isOwn(): boolean {
    return this.#own;
  }

  /** When something is to be done next. */
  get due(): number {
    return Math.min(this.deadline, this.nextAppeal);
  }

  /** Somebody got no answer. */
  confirm(accuser: number): void {
    if (this.accusers.length > this.#tunables.confirmations || this.accusers.includes(accuser)) return;
    this.accusers.push(accuser);
    this.#reckon();
  }

  /**
   * We got no answer ourselves, or begin to ask.
   * @param begun When the first question was put.
   */
  makeOwn(begun: number): void {
    if (this.#own) return;
    this.#own = true;
    this.#begun = begun;
    this.nextAppeal = begun;
    this.#reckon();
  }

  /** This node stood still, and so does the time of those that it judges. */
  pause(milliseconds: number): void {
    this.#begun += milliseconds;
    this.deadline += milliseconds;
    this.nextAppeal += milliseconds;
  }

  /** The suspect has just been asked. */
  appealed(now: number): void {
    this.nextAppeal = now + this.#tunables.appealMs;
  }

  #reckon(): void {
    const { askMs, helpMs } = this.#tunables;
    const time = suspicionTime(this.accusers.length, this.#tunables);
    this.deadline = this.#begun + time + askMs + helpMs + (this.#own ? 0 : this.#hearsayMs);
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
