/**
 * The information vector of one node, without what the entries say: who is in which state, how old each entry is.
 *
 * Tables of numbers indexed by the roster's slots, 17 bytes a member, because a simulation has one vector for each of ten
 * thousand nodes. Ages are kept as the time, by this node's clock, at which an entry was measured: now − age at its arrival.
 * Versions (incarnation, seq) decide which of two entries is newer; stamps only tell how old it is.
 */
import { STATE, takesPart } from './member_state.ts';

/** The stamp of a member of which no entry has come yet. */
export const NO_STAMP = -1e15;

export class Vector {
  state: Uint8Array;
  incarnation: Uint32Array;
  seq: Uint32Array;
  stamp: Float64Array;
  /** Members that take part, this node too. */
  members = 0;
  dead = 0;
  /** Changes whenever somebody begins or ceases to be alive. */
  epoch = 0;
  /** The freshest entries, freshest first. */
  readonly freshSlot: Int32Array;
  readonly freshStamp: Float64Array;
  freshCount = 0;

  /** @param fresh How many of the freshest entries are kept in order: the largest part of a window that is pushed. */
  constructor(capacity: number, fresh: number) {
    this.state = new Uint8Array(capacity);
    this.incarnation = new Uint32Array(capacity);
    this.seq = new Uint32Array(capacity);
    this.stamp = new Float64Array(capacity).fill(NO_STAMP);
    this.freshSlot = new Int32Array(fresh);
    this.freshStamp = new Float64Array(fresh);
  }

  /** Makes room for as many slots. */
  reserve(slots: number): void {
    const had = this.state.length;
    if (slots <= had) return;
    const length = Math.max(slots, had * 2);
    const [state, incarnation, seq] = [new Uint8Array(length), new Uint32Array(length), new Uint32Array(length)];
    state.set(this.state);
    incarnation.set(this.incarnation);
    seq.set(this.seq);
    const stamp = new Float64Array(length).fill(NO_STAMP);
    stamp.set(this.stamp);
    Object.assign(this, { state, incarnation, seq, stamp });
  }

  setState(slot: number, state: number): void {
    const before = this.state[slot];
    if (before === state) return;
    this.state[slot] = state;
    this.epoch += 1;
    this.members += Number(takesPart(state)) - Number(takesPart(before));
    this.dead += Number(state === STATE.dead) - Number(before === STATE.dead);
    if (!takesPart(state)) this.#dropFresh(slot);
  }

  /** Takes an entry if it is newer than what is there. The caller has seen to the state. */
  take(slot: number, version: number, stamp: number): boolean {
    if (version <= this.seq[slot]) return false;
    this.seq[slot] = version;
    this.stamp[slot] = stamp;
    const { freshSlot, freshStamp } = this;
    if (this.freshCount === freshSlot.length && stamp <= freshStamp[this.freshCount - 1]) return true;
    this.#dropFresh(slot);
    let at = Math.min(this.freshCount, freshSlot.length - 1);
    for (; at > 0 && freshStamp[at - 1] < stamp; at -= 1) {
      freshStamp[at] = freshStamp[at - 1];
      freshSlot[at] = freshSlot[at - 1];
    }
    freshStamp[at] = stamp;
    freshSlot[at] = slot;
    this.freshCount = Math.min(this.freshCount + 1, freshSlot.length);
    return true;
  }

  /** A member begins anew: entries of its former incarnation count no more, and versions start again. */
  renew(slot: number, incarnation: number): void {
    this.incarnation[slot] = incarnation;
    this.seq[slot] = 0;
  }

  #dropFresh(slot: number): void {
    const { freshSlot, freshStamp } = this;
    let at = 0;
    while (at < this.freshCount && freshSlot[at] !== slot) at += 1;
    if (at === this.freshCount) return;
    this.freshCount -= 1;
    for (; at < this.freshCount; at += 1) {
      freshSlot[at] = freshSlot[at + 1];
      freshStamp[at] = freshStamp[at + 1];
    }
  }
}
