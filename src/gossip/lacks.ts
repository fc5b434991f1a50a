/**
 * The digest: of which members this node knows least, in a part of the ring.
 *
 * Named are the oldest entries, by the lowest 16 bits of the members' ids: among the thousand members that a part has at
 * most it happens for one in sixty that another has the same, and then perhaps an entry comes that was not needed. (A mark
 * that stood for several would do more harm than it seems: the answerer sends what it has freshest of those that are
 * named, so all that is named by mistake comes first.) Looking through the ages costs something, so a digest is used for some
 * periods, without those that have come meanwhile.
 */
import { takesPart } from './member_state.ts';
import { MAX_DIGEST, type Message } from './message.ts';
import type { Roster } from './roster.ts';
import { NO_STAMP, type Vector } from './vector.ts';

/** Names for each entry that an answer has room for. Larger: the answerer may choose more freely among less urgent ones. */
const NAMES_PER_ENTRY = 8;
/** Members that a part of the ring has at most, about. */
const PART_MEMBERS = 1024;
/** Requests with one digest. Larger: less work; smaller: it says what is lacking now. */
const USES = 3;
/** Classes of age that are counted. */
const CLASSES = 64;
const classes = new Int32Array(CLASSES);

export interface Look {
  readonly now: number;
  readonly self: number;
  /** Entries that an answer has room for. */
  readonly room: number;
  readonly periodMs: number;
}

interface Search {
  readonly now: number;
  readonly begin: number;
  readonly end: number;
  readonly wanted: number;
  readonly periodMs: number;
}

export class Lacks {
  /** The member of the oldest entry of those looked at last; -1: none. */
  oldest = -1;
  /** Milliseconds: whoever's entry is older is marked. */
  age = 0;
  readonly #roster: Roster;
  readonly #vector: Vector;
  readonly #slots = new Int32Array(MAX_DIGEST);
  #count = 0;
  #before = 0;
  #part = 0;
  #parts = 1;
  #uses = 0;
  /** About the age of the oldest entry. */
  #top = 0;

  constructor(roster: Roster, vector: Vector) {
    this.#roster = roster;
    this.#vector = vector;
  }

  /** Writes the digest into a request. */
  write(message: Message, look: Look): void {
    if (this.#uses % USES === 0 || this.#roster.size <= look.room) this.#look(look);
    this.#uses += 1;
    const { low } = this.#roster;
    const { stamp } = this.#vector;
    let count = 0;
    for (let i = 0; i < this.#count; i += 1) {
      const slot = this.#slots[i];
      if (stamp[slot] > this.#before) continue;
      message.digest[count] = low[slot];
      count += 1;
    }
    message.digestCount = count;
    message.digestPart = this.#part;
    message.digestParts = this.#parts;
    message.digestAge = this.age;
  }

  #look({ now, self, room, periodMs }: Look): void {
    const { order, low, size } = this.#roster;
    this.#parts = powerOfTwo(Math.ceil(size / PART_MEMBERS));
    this.#part = (this.#part + 1) % this.#parts;
    const begin = this.#roster.startOf(this.#part, this.#parts);
    const end = this.#roster.startOf(this.#part + 1, this.#parts);
    const wanted = Math.min(room * NAMES_PER_ENTRY, MAX_DIGEST, size);
    const share = this.#findAge({ now, begin, end, periodMs, wanted });
    const { stamp, state } = this.#vector;
    this.#before = now - this.age;
    this.#count = 0;
    for (let i = begin; i < end && this.#count < MAX_DIGEST; i += 1) {
      const slot = order[i];
      if (stamp[slot] > this.#before || !takesPart(state[slot]) || slot === self) continue;
      // Where too many are old, as for a node that begins, it asks each time for some others: not for the freshest of all.
      if (share < 256 && Math.imul(low[slot] ^ this.#uses, 0x9e3779b1) >>> 24 >= share) continue;
      this.#slots[this.#count] = slot;
      this.#count += 1;
    }
  }

  /** Finds the age that as many exceed as are wanted, by counting ages in classes. @returns of 256, how many of them to mark */
  #findAge({ now, begin, end, wanted, periodMs }: Search): number {
    const { order } = this.#roster;
    const { stamp, state } = this.#vector;
    const top = Math.max(this.#top, periodMs);
    const scale = CLASSES / top;
    classes.fill(0);
    let oldest = now;
    for (let i = begin; i < end; i += 1) {
      const slot = order[i];
      if (!takesPart(state[slot])) continue;
      const measured = stamp[slot];
      classes[Math.min(CLASSES - 1, Math.max(0, Math.floor((now - measured) * scale)))] += 1;
      if (measured >= oldest) continue;
      oldest = measured;
      this.oldest = slot;
    }
    let at = CLASSES - 1;
    let old = classes[at];
    while (at > 0 && old < wanted) {
      at -= 1;
      old += classes[at];
    }
    this.age = (at / CLASSES) * top;
    this.#top = oldest <= NO_STAMP ? top * 2 : now - oldest + periodMs;
    this.#top = Math.min(this.#top, (end - begin) * this.#parts * periodMs);
    return old > 1.2 * wanted ? Math.max(1, Math.ceil((256 * wanted) / old)) : 256;
  }
}

/** The least power of two that is not below. */
export function powerOfTwo(atLeast: number): number {
  let power = 1;
  while (power < atLeast) power *= 2;
  return power;
}
