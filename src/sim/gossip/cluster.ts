/**
 * A simulated cluster that gossips: the production code of src/gossip for each node, and around it a network that delays and
 * loses, machines that stall, die and come back, and partitions.
 *
 * Messages are handed over as they are and not encoded; their bytes are reckoned. Time goes by milliseconds.
 */
import { Gossiper } from '../../gossip/gossiper.ts';
import { STATE } from '../../gossip/member_state.ts';
import { Message } from '../../gossip/message.ts';
import { messageBytes } from '../../gossip/message_codec.ts';
import { Roster } from '../../gossip/roster.ts';
import type { Tunables } from '../../gossip/tunables.ts';
import { Random } from '../random.ts';
import { Wheel } from '../wheel.ts';

export interface ClusterOptions {
  nodes: number;
  seed: number;
  tunables: Tunables;
  network: {
    /** Share of datagrams that get lost. */
    loss: number;
    /** Milliseconds that a datagram is on its way. */
    minDelayMs: number;
    maxDelayMs: number;
    /** Whether nothing comes through from one to the other. */
    isCut?: (from: number, to: number) => boolean;
  };
  /** Called when an observer's belief about a member changes. */
  onChange?: (observer: number, member: number, state: number) => void;
}

/** Bytes of a typical entry, encoded; a test holds it to the codec. */
export const ENTRY_BYTES = 71;
/** Bytes of a card: a name and an IPv4 address of usual length. */
export const CARD_BYTES = 22;
/** Bytes around a message: what sealing adds (sealed_datagrams.ts); then the headers of UDP and IPv4. */
export const ENVELOPE_BYTES = 34;
export const HEADER_BYTES = 28;
/** Datagrams that wait for a node that stands still; a socket's default buffer holds about as many. */
const INBOX = 200;

interface Machine {
  gossiper: Gossiper;
  alive: boolean;
  /** Milliseconds; it stands still until then. */
  stalledUntil: number;
  /** When its next event of its own is in the wheel. */
  wakeAt: number;
  /** When it looks at its load again. */
  measureAt: number;
  inbox: number[];
  side: number;
}

export class GossipCluster {
  readonly wheel = new Wheel();
  readonly machines: Machine[] = [];
  readonly random: Random;
  readonly roster: Roster;
  readonly tunables: Tunables;
  bytes = 0;
  datagrams = 0;
  largest = 0;
  readonly #options: ClusterOptions;
  readonly #messages: Message[] = [];
  readonly #to: number[] = [];
  readonly #free: number[] = [];

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.tunables = options.tunables;
    this.random = new Random(options.seed);
    this.roster = rosterOf(options.nodes);
    for (let slot = 0; slot < options.nodes; slot += 1) this.machines.push(this.#machine(slot, 1));
    for (const { gossiper } of this.machines) this.#acquaint(gossiper);
  }

  get now(): number {
    return this.wheel.now;
  }

  /** Lets time go by. */
  run(milliseconds: number): void {
    const end = this.wheel.now + milliseconds;
    for (let event = this.wheel.take(end); event >= 0; event = this.wheel.take(end)) {
      if (event >= this.machines.length) this.#arrive(event - this.machines.length);
      else this.#wake(event);
    }
  }

  /** The machine does nothing for so long; what comes waits. */
  stall(slot: number, milliseconds: number): void {
    const machine = this.machines[slot];
    machine.stalledUntil = Math.max(machine.stalledUntil, this.now + milliseconds);
    machine.wakeAt = machine.stalledUntil;
    this.wheel.put(machine.stalledUntil, slot);
  }

  kill(slot: number): void {
    const machine = this.machines[slot];
    machine.alive = false;
    for (const id of machine.inbox) this.#release(id);
    machine.inbox = [];
  }

  /** It starts anew, knows nobody, and greets some node. */
  revive(slot: number, incarnation: number): void {
    this.machines[slot] = this.#machine(slot, incarnation);
    this.#greet(slot);
  }

  leave(slot: number): void {
    this.machines[slot].gossiper.leave(this.now);
    this.machines[slot].alive = false;
  }

  /** Nodes of different sides do not hear each other. */
  partition(sideOf: (slot: number) => number): void {
    for (const [slot, machine] of this.machines.entries()) machine.side = sideOf(slot);
  }

  /** Whether it runs, and not just in name. */
  isAwake(slot: number): boolean {
    const machine = this.machines[slot];
    return machine.alive && machine.stalledUntil <= this.now;
  }

  #machine(slot: number, incarnation: number): Machine {
    const { roster } = this;
    const outside = {
      message: (): Message => this.#take(),
      send: (to: number, message: Message): void => this.#send(slot, to, message),
      random: this.random.number,
      took: (): void => {},
      answered: (): void => {},
      changed: (member: number, state: number): void => this.#options.onChange?.(slot, member, state),
      greetSeed: (): void => {
        if (this.machines[slot].gossiper.vector.members === 1) this.#greet(slot);
      },
    };
    const options = { self: slot, incarnation, roster, outside, tunables: this.tunables };
    const gossiper = new Gossiper(options, this.wheel.now);
    const machine: Machine = {
      gossiper,
      alive: true,
      stalledUntil: 0,
      wakeAt: this.wheel.now,
      measureAt: 0,
      inbox: [],
      side: 0,
    };
    this.wheel.put(this.wheel.now, slot);
    return machine;
  }

  #acquaint({ vector, core }: Gossiper): void {
    for (let slot = 0; slot < this.machines.length; slot += 1) {
      if (slot === core.self) continue;
      vector.renew(slot, 1);
      vector.setState(slot, STATE.alive);
    }
  }

  #greet(slot: number): void {
    const seed = this.random.below(this.machines.length);
    if (seed !== slot) this.#send(slot, seed, this.machines[slot].gossiper.greeting());
  }

  #wake(slot: number): void {
    const machine = this.machines[slot];
    if (!machine.alive) return;
    if (machine.stalledUntil > this.now) {
      if (machine.wakeAt !== machine.stalledUntil) this.#wakeAt(slot, machine.stalledUntil);
      return;
    }
    if (machine.wakeAt > this.now) return; // an event that was superseded
    const { gossiper } = machine;
    // As in a real event loop: timers come first, and only then what has arrived meanwhile.
    if (this.now >= machine.measureAt) {
      machine.measureAt = this.now + this.tunables.periodMs;
      gossiper.published(this.now);
    }
    gossiper.tick(this.now);
    if (machine.inbox.length > 0) {
      const { inbox } = machine;
      machine.inbox = [];
      for (const id of inbox) this.#deliver(machine, id);
    }
    this.#wakeAt(slot, gossiper.wakeAt);
  }

  #wakeAt(slot: number, time: number): void {
    if (time === Infinity) return;
    const at = Math.max(Math.ceil(time), this.now + 1);
    this.machines[slot].wakeAt = at;
    this.wheel.put(at, slot);
  }

  #send(from: number, to: number, message: Message): void {
    const { network } = this.#options;
    const bytes = messageBytes(message, { entryBytes: ENTRY_BYTES, cardBytes: CARD_BYTES }) + ENVELOPE_BYTES;
    this.bytes += bytes + HEADER_BYTES;
    this.datagrams += 1;
    if (bytes > this.largest) this.largest = bytes;
    const id = this.#idOf(message);
    const isCut = this.machines[from].side !== this.machines[to].side || network.isCut?.(from, to) === true;
    if (isCut || this.random.number() < network.loss || !this.machines[to].alive) {
      this.#release(id);
      return;
    }
    this.#to[id] = to;
    const delay = network.minDelayMs + this.random.number() * (network.maxDelayMs - network.minDelayMs);
    this.wheel.put(this.now + Math.max(1, delay), this.machines.length + id);
  }

  #arrive(id: number): void {
    const slot = this.#to[id];
    const machine = this.machines[slot];
    if (!machine.alive) this.#release(id);
    else if (machine.stalledUntil > this.now) {
      if (machine.inbox.length < INBOX) machine.inbox.push(id);
      else this.#release(id);
    } else {
      this.#deliver(machine, id);
      if (machine.gossiper.wakeAt < machine.wakeAt) this.#wakeAt(slot, machine.gossiper.wakeAt);
    }
  }

  #deliver(machine: Machine, id: number): void {
    machine.gossiper.receive(this.#messages[id], this.now);
    this.#release(id);
  }

  /** Messages are used again and again; the place of one is known from its `pool`. */
  #take(): Message {
    const id = this.#free.pop() ?? this.#messages.length;
    if (id === this.#messages.length) {
      const message = new Message();
      message.pool = id;
      this.#messages.push(message);
      this.#to.push(-1);
    }
    return this.#messages[id];
  }

  #idOf(message: Message): number {
    return message.pool;
  }

  #release(id: number): void {
    this.#free.push(id);
  }
}

/** Slots in the order of the ring, so that a part of it is one piece of memory. */
function rosterOf(nodes: number): Roster {
  const card = (i: number): { name: string; address: string; port: number; guestPort: number } => ({
    name: `n${i}`,
    address: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`,
    port: 7100,
    guestPort: 7101,
  });
  const all = new Roster(nodes);
  for (let i = 0; i < nodes; i += 1) {
    if (all.add(card(i)) < 0) throw new Error(`Cannot simulate ${nodes} nodes: two of their ids collide`);
  }
  const sorted = new Roster(nodes);
  for (let place = 0; place < nodes; place += 1) sorted.add(all.card(all.order[place]));
  return sorted;
}
