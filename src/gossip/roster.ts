/**
 * The names behind the numbers: every node that was ever heard of has a slot here, by which all tables are indexed.
 *
 * A node's id is 48 bits of a hash of its name: short enough for each entry of a datagram, and two names that collide
 * (10^-7 for 10,000 nodes) are refused rather than mixed up. Sorted by id the nodes form a ring, which is the same on all nodes
 * that know the same names; parts of the ring are what a digest is about.
 * A roster says nothing about who is alive. A simulation has one for all its nodes.
 */
import type { NodeCard } from './entry.ts';

/** Bits of an id: the most that fits into a number with room for arithmetic, and six bytes on the wire. */
const ID_BITS = 48;
const LOW = 2 ** 32;
/** Nodes at most. Larger: more memory that members can fill with invented names. */
const MOST = 16_384;

export class Roster {
  readonly #most: number;
  readonly #slots = new Map<number, number>();
  readonly #cards: NodeCard[] = [];
  readonly #ids: number[] = [];
  #order = new Int32Array(16);
  #places = new Int32Array(16);
  #low = new Uint32Array(16);

  constructor(most = MOST) {
    this.#most = most;
  }

  get size(): number {
    return this.#cards.length;
  }

  /** Slots by rising id; only the first `size` count. */
  get order(): Int32Array {
    return this.#order;
  }

  /** The lower half of each slot's id. */
  get low(): Uint32Array {
    return this.#low;
  }

  card(slot: number): NodeCard {
    return this.#cards[slot];
  }

  id(slot: number): number {
    return this.#ids[slot];
  }

  /** Where a slot is in `order`. */
  place(slot: number): number {
    return this.#places[slot];
  }

  /** -1 if nobody has that id. */
  slotOf(id: number): number {
    return this.#slots.get(id) ?? -1;
  }

  slotOfName(name: string): number {
    const slot = this.slotOf(nodeId(name));
    return slot >= 0 && this.#cards[slot].name === name ? slot : -1;
  }

  /** Adds a node, or replaces what is known of it. @returns its slot; -1 if another name has the same id, or if there are too many */
  add(card: NodeCard): number {
    const id = nodeId(card.name);
    const known = this.slotOf(id);
    if (known >= 0) {
      if (this.#cards[known].name !== card.name) return -1;
      this.#cards[known] = card;
      return known;
    }
    const slot = this.#cards.length;
    if (slot >= this.#most) return -1;
    this.#cards.push(card);
    this.#ids.push(id);
    this.#slots.set(id, slot);
    this.#grow();
    this.#low[slot] = id % LOW;
    const place = this.#firstAtLeast(id, slot);
    this.#order.copyWithin(place + 1, place, slot);
    this.#order[place] = slot;
    for (let i = place; i <= slot; i += 1) this.#places[this.#order[i]] = i;
    return slot;
  }

  /** Where in `order` part number `part` of `parts` equal parts of the ring begins; `part` may be `parts`, for the end. */
  startOf(part: number, parts: number): number {
    return part >= parts ? this.size : this.#firstAtLeast((part / parts) * 2 ** ID_BITS, this.size);
  }

  #firstAtLeast(id: number, size: number): number {
    let [low, high] = [0, size];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#ids[this.#order[middle]] < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #grow(): void {
    if (this.size <= this.#order.length) return;
    const grown = <T extends Int32Array | Uint32Array>(made: T, from: T): T => {
      made.set(from);
      return made;
    };
    const length = this.#order.length * 2;
    this.#order = grown(new Int32Array(length), this.#order);
    this.#places = grown(new Int32Array(length), this.#places);
    this.#low = grown(new Uint32Array(length), this.#low);
  }
}

/** 48 bits of a hash of the name: two rounds of multiply and xor over its characters, finished as in MurmurHash3. */
export function nodeId(name: string): number {
  let [a, b] = [0xdeadbeef, 0x41c6ce57];
  for (let i = 0; i < name.length; i += 1) {
    const code = name.charCodeAt(i);
    a = Math.imul(a ^ code, 2654435761);
    b = Math.imul(b ^ code, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return (b >>> 16) * LOW + (a >>> 0);
}
