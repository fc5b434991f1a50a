/**
 * The exchange of entries: MOSIX's window, and what makes it better than the window alone.
 *
 * A node sends its own entry and its freshest ones, as MOSIX does, and with them a digest: of which members it knows least. The
 * other answers with its own entry and the freshest that it has of those. So what is new spreads by the push, and what is old
 * is mended by the pull, and neither is left to chance alone.
 */
import type { Core } from './core.ts';
import { STATE, takesPart } from './member_state.ts';
import { MAX_ENTRIES, MESSAGE, type Message } from './message.ts';
import { pushedOf, windowFor } from './tunables.ts';

/** Periods, and times the age of those that are marked, by which an entry is so old that its node is asked itself. */
const OUTLIER_PERIODS = 5;
const OUTLIER_FACTOR = 2;

const bestSlot = new Int32Array(MAX_ENTRIES);
/** Which ends of ids a digest names; clean between two uses. */
const named = new Uint8Array(65_536);
const bestStamp = new Float64Array(MAX_ENTRIES);

export class Exchange {
  readonly #core: Core;
  #count = 0;

  constructor(core: Core) {
    this.#core = core;
  }

  /** With whom: a random member, now and then the one of the oldest entry if nobody else helps with that; -1: nobody. */
  partner(): number {
    const { vector, tunables, self, lacks, now } = this.#core;
    this.#count += 1;
    const { oldest } = lacks;
    if (this.#count % tunables.oldestEvery === 0 && oldest >= 0 && vector.state[oldest] === STATE.alive) {
      const age = now - vector.stamp[oldest];
      if (age > OUTLIER_PERIODS * tunables.periodMs && age > OUTLIER_FACTOR * lacks.age) return oldest;
    }
    return this.#core.randomAlive(self);
  }

  request(to: number, ask: number): Message {
    const { vector, tunables, lacks, now, self } = this.#core;
    const message = this.#core.begin(MESSAGE.request, ask);
    const window = windowFor(vector.members, tunables);
    const pushed = Math.min(pushedOf(window), MAX_ENTRIES);
    this.#addOwn(message);
    for (let i = 0; i < vector.freshCount && message.entries < pushed; i += 1) {
      const slot = vector.freshSlot[i];
      if (slot !== to) this.#add(message, slot);
    }
    lacks.write(message, { now, self, room: window - pushed, periodMs: tunables.periodMs });
    return message;
  }

  reply(request: Message): Message {
    const { vector, tunables } = this.#core;
    const message = this.#core.begin(MESSAGE.reply, request.ask);
    const window = windowFor(vector.members, tunables);
    this.#addOwn(message);
    const room = Math.min(window - pushedOf(window), MAX_ENTRIES) - 1;
    const count = room > 0 && request.digestCount > 0 ? this.#best(request, room) : 0;
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

  /** The freshest of those that are marked, as long as they are fresher than what the asker has. @returns how many */
  #best(request: Message, room: number): number {
    const { vector, roster, now, self } = this.#core;
    const { order, low } = roster;
    const { stamp, state } = vector;
    const { digest, digestCount, digestPart, digestParts, from } = request;
    for (let i = 0; i < digestCount; i += 1) named[digest[i]] = 1;
    const end = roster.startOf(digestPart + 1, digestParts);
    let least = now - request.digestAge;
    let count = 0;
    // The ages lie in a row, and most are out of the question; to go from name to name would miss the cache each time.
    for (let i = roster.startOf(digestPart, digestParts); i < end; i += 1) {
      const slot = order[i];
      if (stamp[slot] <= least) continue;
      if (named[low[slot] & 0xffff] === 0 || !takesPart(state[slot]) || slot === self || slot === from) continue;
      insert(slot, stamp[slot], Math.min(count, room - 1));
      if (count < room) count += 1;
      if (count === room) least = bestStamp[room - 1];
    }
    for (let i = 0; i < digestCount; i += 1) named[digest[i]] = 0;
    return count;
  }
}

/** Puts a member in its place among the best; the one at `last` may fall out. */
function insert(slot: number, stamp: number, last: number): void {
  let at = last;
  for (; at > 0 && bestStamp[at - 1] < stamp; at -= 1) {
    bestStamp[at] = bestStamp[at - 1];
    bestSlot[at] = bestSlot[at - 1];
  }
  bestStamp[at] = stamp;
  bestSlot[at] = slot;
}
