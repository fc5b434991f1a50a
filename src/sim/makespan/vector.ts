/** How entries spread in the simulation: each second each node sends what it knows that is freshest to one other node. */
import type { NodeEntry } from '../../gossip/entry.ts';
import type { Random } from './random.ts';

export interface Heard {
  readonly entry: NodeEntry;
  readonly at: number;
}

/** Entries in one message. */
const WINDOW = 16;

export class Vectors {
  readonly #known = new Map<string, Map<string, Heard>>();
  readonly #names: readonly string[];
  readonly #random: Random;

  constructor(names: readonly string[], random: Random) {
    this.#names = names;
    this.#random = random;
    for (const name of names) this.#known.set(name, new Map());
  }

  publish(name: string, entry: NodeEntry, at: number): void {
    this.#known.get(name)?.set(name, { entry, at });
  }

  /** What a node knows of another. */
  of(reader: string, name: string): Heard | undefined {
    return this.#known.get(reader)?.get(name);
  }

  /** One period of all nodes. */
  spread(): void {
    for (const sender of this.#names) {
      const others = this.#names.length - 1;
      if (others === 0) return;
      const index = Math.floor(this.#random() * others);
      const receiver = this.#names.filter((name) => name !== sender)[index];
      const window = [...(this.#known.get(sender) ?? [])].toSorted(([, a], [, b]) => b.at - a.at).slice(0, WINDOW);
      const known = this.#known.get(receiver);
      for (const [name, heard] of window)
        if (name !== receiver && (known?.get(name)?.at ?? -Infinity) < heard.at) known?.set(name, heard);
    }
  }
}
