/**
 * The exchange of entries: MOSIX's window, and what makes it better than the window alone.
 *
 * A node sends its own entry and its freshest ones, as MOSIX does, and with them a digest: for a part of the ring one bit for
 * each member of which it knows least. The other answers with its own entry and the freshest that it has of those. So what is
 * new spreads by the push, and what is old is mended by the pull, and neither is left to chance alone. A mark that stands
 * for two members costs an entry that was not needed, and nothing else.
 */
import type { Core } from './core.ts';
import { STATE, takesPart } from './member_state.ts';
import { MAX_DIGEST_BITS, MAX_ENTRIES, MESSAGE, type Message } from './message.ts';
import { pushedOf, windowFor } from './tunables.ts';

/** Marks for each entry that the answer has room for. Larger: the answerer may choose more freely among less urgent ones. */
const MARKS_PER_ENTRY = 12;
/** Members that a part of the ring has at most, about. */
const PART_MEMBERS = 1024;
const MIN_DIGEST_BITS = 32;

const bestSlot = new Int32Array(MAX_ENTRIES);
const bestStamp = new Float64Array(MAX_ENTRIES);

export class Exchange {
  readonly #core: Core;
  /** Milliseconds: whoever's entry is older is marked. It follows the ages so that about as many are marked as are wanted. */
  #markedAge = 0;
  #part = 0;
  #count = 0;
  /** The member of the oldest entry in the part of the ring that was looked at last; -1: none. */
  #oldest = -1;

  constructor(core: Core) {
    this.#core = core;
  }

  /** With whom: a random member, now and then the one of the oldest entry; -1: nobody. */
  partner(): number {
    const { vector, tunables, self } = this.#core;
    this.#count += 1;
    const turn = tunables.oldestEvery > 0 && this.#count % tunables.oldestEvery === 0;
    if (turn && this.#oldest >= 0 && vector.state[this.#oldest] === STATE.alive) return this.#oldest;
    return this.#core.randomAlive(self);
  }

  request(to: number, ask: number): Message {
    const { vector, tunables } = this.#core;
    const message = this.#core.begin(MESSAGE.request, ask);
    const window = windowFor(vector.members, tunables);
    const pushed = Math.min(pushedOf(window), MAX_ENTRIES);
    this.#addOwn(message);
    for (let i = 0; i < vector.freshCount && message.entries < pushed; i += 1) {
      const slot = vector.freshSlot[i];
      if (slot !== to) this.#add(message, slot);
    }
    this.#mark(message, window - pushed);
    return message;
  }

  reply(request: Message): Message {
    const { vector, tunables } = this.#core;
    const message = this.#core.begin(MESSAGE.reply, request.ask);
    const window = windowFor(vector.members, tunables);
    this.#addOwn(message);
    const room = Math.min(window - pushedOf(window), MAX_ENTRIES) - 1;
    const count = room > 0 && request.digestBits > 0 ? this.#best(request, room) : 0;
    for (let i = 0; i < count; i += 1) this.#add(message, bestSlot[i]);
    return message;
  }

  #addOwn(message: Message): void {
    const { vector, self } = this.#core;
    if (vector.seq[self] > 0) this.#add(message, self);
  }

  #add(message: Message, slot: number): void {
    const { vector, now } = this.#core;
    message.addEntry(slot, vector.incarnation[slot], vector.seq[slot], now - vector.stamp[slot]);
  }

  /** Writes the digest: who is older than #markedAge in the next part of the ring. */
  #mark(message: Message, room: number): void {
    const { vector, roster, now, self } = this.#core;
    const { order, low } = roster;
    const parts = powerOfTwo(Math.ceil(roster.size / PART_MEMBERS));
    this.#part = (this.#part + 1) % parts;
    const [begin, end] = [roster.startOf(this.#part, parts), roster.startOf(this.#part + 1, parts)];
    const bits = Math.min(MAX_DIGEST_BITS, Math.max(MIN_DIGEST_BITS, powerOfTwo(end - begin)));
    const { digest } = message;
    digest.fill(0, 0, bits / 32);
    const { stamp, state } = vector;
    const before = now - this.#markedAge;
    let marked = 0;
    let oldest = Infinity;
    for (let i = begin; i < end; i += 1) {
      const slot = order[i];
      const measured = stamp[slot];
      if (measured >= before || !takesPart(state[slot]) || slot === self) continue;
      const bit = low[slot] & (bits - 1);
      digest[bit >> 5] |= 1 << (bit & 31);
      marked += 1;
      if (measured < oldest) {
        oldest = measured;
        this.#oldest = slot;
      }
    }
    message.digestBits = bits;
    message.digestPart = this.#part;
    message.digestParts = parts;
    message.digestAge = this.#markedAge;
    this.#follow(marked, Math.min(room * MARKS_PER_ENTRY, (end - begin) / 2));
  }

  /** Moves the age by small steps to where as many are marked as are wanted. */
  #follow(marked: number, wanted: number): void {
    const { periodMs } = this.#core.tunables;
    if (marked > wanted * 1.1) this.#markedAge = Math.max(periodMs / 10, this.#markedAge * 1.06);
    else if (marked < wanted * 0.9) this.#markedAge /= 1.06;
    if (this.#markedAge < periodMs / 20) this.#markedAge = 0;
  }

  /** The freshest of those that are marked, as long as they are fresher than what the asker has. @returns how many */
  #best(request: Message, room: number): number {
    const { vector, roster, now, self } = this.#core;
    const { order, low } = roster;
    const { stamp, state } = vector;
    const { digest, digestBits, digestPart, digestParts, from } = request;
    const end = roster.startOf(digestPart + 1, digestParts);
    let least = now - request.digestAge;
    let count = 0;
    for (let i = roster.startOf(digestPart, digestParts); i < end; i += 1) {
      const slot = order[i];
      const measured = stamp[slot];
      if (measured <= least) continue;
      const bit = low[slot] & (digestBits - 1);
      if ((digest[bit >> 5] & (1 << (bit & 31))) === 0) continue;
      if (!takesPart(state[slot]) || slot === self || slot === from) continue;
      let at = Math.min(count, room - 1);
      for (; at > 0 && bestStamp[at - 1] < measured; at -= 1) {
        bestStamp[at] = bestStamp[at - 1];
        bestSlot[at] = bestSlot[at - 1];
      }
      bestStamp[at] = measured;
      bestSlot[at] = slot;
      if (count < room) count += 1;
      if (count === room) least = bestStamp[room - 1];
    }
    return count;
  }
}

function powerOfTwo(atLeast: number): number {
  let power = 1;
  while (power < atLeast) power *= 2;
  return power;
}
