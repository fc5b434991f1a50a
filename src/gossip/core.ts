/** What the parts of a gossiping node share: its tables, the time, and the world outside, which is handed in. */
import { Asks } from './asks.ts';
import { Lacks } from './lacks.ts';
import { LocalHealth } from './local_health.ts';
import { STATE } from './member_state.ts';
import { MESSAGE, type Message, type MessageType } from './message.ts';
import { NewsQueue } from './news.ts';
import type { Roster } from './roster.ts';
import type { Suspicion } from './suspicion.ts';
import type { Tunables } from './tunables.ts';
import { Vector } from './vector.ts';

/** Entries that are kept in order of age: more than a request pushes. */
const FRESH = 16;
/** News in a message that carries nothing else. */
const NEWS_OF_PUSH = 48;

/** The world of a node. */
export interface Outside {
  /** An empty message to fill in; it is given back by `send`. */
  message(): Message;
  /** Sends it, or not: datagrams get lost. The message belongs to the network from here on. */
  send(to: number, message: Message): void;
  /** At least 0 and below 1. */
  random(): number;
  /** An entry of a received message, by its row, has been taken for the newest. */
  took(slot: number, message: Message, row: number): void;
  /** A member has answered a question that was put once; the answer says when it was sent. */
  answered(slot: number, rttMs: number, message: Message): void;
  /** A member's state has changed. */
  changed(slot: number, state: number): void;
  /** It is time to greet a seed that is no member; a node without seeds does nothing. */
  greetSeed(): void;
}

export interface CoreOptions {
  readonly self: number;
  /** Higher than that of any former life of this node: the seconds since 1970 will do. */
  readonly incarnation: number;
  readonly roster: Roster;
  readonly outside: Outside;
  readonly tunables: Tunables;
}

export class Core {
  readonly self: number;
  readonly roster: Roster;
  readonly outside: Outside;
  readonly tunables: Tunables;
  readonly vector: Vector;
  readonly lacks: Lacks;
  readonly news = new NewsQueue();
  readonly health = new LocalHealth();
  readonly asks = new Asks();
  readonly suspicions = new Map<number, Suspicion>();
  /** Members that we held dead and somebody else holds alive: they are told, so that they may refute it. */
  readonly greet: number[] = [];
  /** Until then this node counts as one that has just joined. */
  joinedBy = 0;
  /** Milliseconds of this node's steady clock. */
  now = 0;
  /** When `tick` has something to do. */
  wakeAt = 0;
  /** When urgent news go out; Infinity: there are none. */
  urgentAt = Infinity;
  /** The earliest `due` of the suspicions. */
  suspicionsDue = Infinity;
  #nextAsk = 0;

  constructor({ self, incarnation, roster, outside, tunables }: CoreOptions) {
    this.self = self;
    this.roster = roster;
    this.outside = outside;
    this.tunables = tunables;
    this.vector = new Vector(roster.size, FRESH);
    this.vector.setState(self, STATE.alive);
    this.vector.renew(self, incarnation);
    this.lacks = new Lacks(roster, this.vector);
  }

  get incarnation(): number {
    return this.vector.incarnation[this.self];
  }

  /** A number for a question, never 0. */
  newAsk(): number {
    this.#nextAsk = (this.#nextAsk % 0x7fff_fffe) + 1;
    return this.#nextAsk;
  }

  begin(type: MessageType, ask = 0): Message {
    const message = this.outside.message().reset(type);
    message.from = this.self;
    message.incarnation = this.incarnation;
    message.ask = ask;
    return message;
  }

  /** Adds the news that ride along, and sends. Whoever is suspected hears it first of all (Lifeguard's buddy system). */
  send(to: number, message: Message, mostNews = this.tunables.newsPerMessage): void {
    const state = this.vector.state[to];
    if (state === STATE.suspect || state === STATE.dead || state === STATE.left) {
      message.addNews(to, state, this.vector.incarnation[to], this.self);
    }
    this.news.load(message, mostNews, this.rides());
    this.outside.send(to, message);
  }

  /** How often each news is sent. */
  rides(): number {
    return this.tunables.newsFactor * Math.ceil(Math.log10(this.vector.members + 1));
  }

  wakeBy(time: number): void {
    if (time < this.wakeAt) this.wakeAt = time;
  }

  /** Has the urgent news go out soon. */
  hurry(): void {
    if (this.urgentAt !== Infinity) return;
    this.urgentAt = this.now + this.tunables.urgentMs;
    this.wakeBy(this.urgentAt);
  }

  /** Sends urgent news to some nodes at once, outside of the periods. */
  spreadUrgent(): void {
    this.urgentAt = Infinity;
    for (let i = 0; i < this.tunables.fanout && this.news.size > 0; i += 1) {
      const to = this.randomAlive(this.self);
      if (to < 0) return;
      this.send(to, this.begin(MESSAGE.push), NEWS_OF_PUSH);
    }
  }

  /** A member that is alive and not suspected, other than this node and `not`; -1 if there is none. */
  randomAlive(not: number): number {
    const { state } = this.vector;
    const { size } = this.roster;
    let at = 0;
    for (let i = 0; i < 32; i += 1) {
      at = Math.floor(this.outside.random() * size);
      if (state[at] === STATE.alive && at !== this.self && at !== not) return at;
    }
    return this.#searchFrom(at, STATE.alive, not);
  }

  /** Any dead member; -1 if there is none. */
  randomDead(): number {
    return this.#searchFrom(Math.floor(this.outside.random() * this.roster.size), STATE.dead, -1);
  }

  #searchFrom(start: number, wanted: number, not: number): number {
    const { state } = this.vector;
    const { size } = this.roster;
    for (let i = 0; i < size; i += 1) {
      const at = (start + i) % size;
      if (state[at] === wanted && at !== this.self && at !== not) return at;
    }
    return -1;
  }
}
