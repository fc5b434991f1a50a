/**
 * The failure detector: SWIM's questions, direct and by helpers, with Lifeguard's patience, and a ring that bounds the time.
 *
 * Every question is a chance to notice a death: the exchange with a random node (SWIM's probe), and a ping of the next node
 * on the ring, without which the time until a death is noticed would have no bound. The next node in turn misses the ping of
 * the one before it, and asks; so two nodes watch each, and one of them may be starved itself.
 */
import { STAGE } from './asks.ts';
import type { Core } from './core.ts';
import { accuse, declareDead, noteDue } from './merge.ts';
import { STATE } from './member_state.ts';
import { MESSAGE, type Message, type MessageType } from './message.ts';

export class Detector {
  readonly #core: Core;
  #ringAt: number;
  #epoch = -1;
  #next = -1;
  #previous = -1;
  #previousHeard = 0;
  /** When the earliest question runs out of time. */
  #asksDue = Infinity;

  constructor(core: Core) {
    this.#core = core;
    this.#ringAt = core.now + core.outside.random() * core.tunables.ringMs;
  }

  /** When there is something to do. */
  get due(): number {
    const silent = this.#previous < 0 ? Infinity : this.#previousHeard + this.#core.tunables.silenceMs;
    return Math.min(this.#ringAt, silent, this.#asksDue, this.#core.suspicionsDue);
  }

  /** Notes a question that a message is about to put. @returns its number */
  asking(slot: number): number {
    const { asks, health, tunables, now } = this.#core;
    const ask = this.#core.newAsk();
    const deadline = now + tunables.askMs * health.factor;
    asks.add(slot, ask, now, deadline);
    this.#asksDue = Math.min(this.#asksDue, deadline);
    this.#core.wakeBy(this.#asksDue);
    return ask;
  }

  heardFrom(slot: number): void {
    if (slot === this.#previous) this.#previousHeard = this.#core.now;
  }

  tick(): void {
    const { now, tunables, health, vector } = this.#core;
    if (vector.epoch !== this.#epoch) this.#findNeighbours();
    if (now >= this.#asksDue) this.#checkAsks();
    if (now >= this.#core.suspicionsDue) this.#checkSuspicions();
    if (now >= this.#ringAt) {
      if (this.#next >= 0) this.#ask(this.#next);
      this.#ringAt = now + tunables.ringMs * health.factor;
    }
    if (this.#previous >= 0 && now - this.#previousHeard >= tunables.silenceMs) {
      if (!this.#core.asks.waitsFor(this.#previous)) this.#ask(this.#previous);
      this.#previousHeard = now;
    }
  }

  /** An answer to a question of ours, or to one that we put for somebody else. */
  answered(message: Message): void {
    const { asks, health, outside, now } = this.#core;
    const row = asks.rowOf(message.ask);
    if (row < 0) return;
    const isOurs = asks.asker[row] < 0;
    if (isOurs) {
      health.good();
      // After a second question it would not be known which one was answered.
      const isClear = asks.stage[row] === STAGE.direct && message.subject < 0;
      if (isClear) outside.answered(message.from, now - asks.begun[row], message);
    } else this.#report(row, MESSAGE.ack);
    asks.remove(row);
  }

  /** A helper got no answer, either. */
  denied(message: Message): void {
    const { asks } = this.#core;
    const row = asks.rowOf(message.ask);
    if (row < 0 || asks.asker[row] >= 0 || asks.slot[row] !== message.subject) return;
    asks.deny(row, message.from);
  }

  /** Somebody wants to know whether the subject answers us. */
  askFor(message: Message): void {
    const { asks } = this.#core;
    if (message.subject < 0 || message.subject === this.#core.self) return;
    const ask = this.asking(message.subject);
    const row = asks.rowOf(ask);
    asks.asker[row] = message.from;
    asks.askerAsk[row] = message.ask;
    this.#core.send(message.subject, this.#core.begin(MESSAGE.ping, ask));
  }

  /** This node stood still: nobody is to blame for the answers that it has not read, and all deadlines wait as long. */
  pause(milliseconds: number): void {
    this.#core.asks.count = 0;
    this.#asksDue = Infinity;
    this.#previousHeard = this.#core.now;
    for (const suspicion of this.#core.suspicions.values()) suspicion.pause(milliseconds);
    this.#core.suspicionsDue += milliseconds;
    this.#core.health.bad();
  }

  #ask(slot: number): void {
    const ask = this.asking(slot);
    this.#core.send(slot, this.#core.begin(MESSAGE.ping, ask));
  }

  #checkAsks(): void {
    const { asks, now } = this.#core;
    // Backwards, since a row that is removed is filled by the last.
    for (let row = asks.count - 1; row >= 0; row -= 1) {
      if (row >= asks.count || asks.deadline[row] > now) continue;
      if (asks.asker[row] >= 0) {
        this.#report(row, MESSAGE.nack);
        asks.remove(row);
      } else if (asks.stage[row] === STAGE.direct) this.#askHelpers(row);
      else this.#giveUp(row);
    }
    let due = Infinity;
    for (let row = 0; row < asks.count; row += 1) due = Math.min(due, asks.deadline[row]);
    this.#asksDue = due;
  }

  #askHelpers(row: number): void {
    const { asks, tunables, health, vector } = this.#core;
    const slot = asks.slot[row];
    if (vector.state[slot] === STATE.dead || vector.state[slot] === STATE.left) {
      asks.remove(row);
      return;
    }
    const ask = asks.ask[row];
    asks.stage[row] = STAGE.helped;
    asks.deadline[row] += tunables.helpMs * health.factor;
    this.#core.send(slot, this.#core.begin(MESSAGE.ping, ask));
    for (let i = 0; i < tunables.helpers; i += 1) {
      const helper = this.#core.randomAlive(slot);
      if (helper < 0) return;
      const message = this.#core.begin(MESSAGE.pingFor, ask);
      message.subject = slot;
      this.#core.send(helper, message);
    }
  }

  #giveUp(row: number): void {
    const { asks, health } = this.#core;
    const slot = asks.slot[row];
    const nackers = asks.nackers(row);
    const begun = asks.begun[row];
    asks.remove(row);
    health.bad();
    // Helpers that do not even say no are a sign that it is this node that nobody hears.
    if (nackers.length === 0 && this.#core.vector.members > 2) health.bad();
    const suspicion = accuse(this.#core, slot, begun);
    for (const nacker of nackers) suspicion?.confirm(nacker);
    if (suspicion !== undefined) noteDue(this.#core, suspicion);
  }

  /** Tells whoever asked us to ask. */
  #report(row: number, type: MessageType): void {
    const { asks } = this.#core;
    const message = this.#core.begin(type, asks.askerAsk[row]);
    message.subject = asks.slot[row];
    this.#core.send(asks.asker[row], message);
  }

  #checkSuspicions(): void {
    const core = this.#core;
    let due = Infinity;
    for (const suspicion of core.suspicions.values()) {
      if (core.now >= suspicion.deadline) {
        if (suspicion.isOwn) declareDead(core, suspicion.slot);
        else suspicion.makeOwn(core.now);
      } else if (core.now >= suspicion.nextAppeal) {
        core.send(suspicion.slot, core.begin(MESSAGE.ping));
        suspicion.appealed(core.now);
      }
      if (suspicion.due < due) due = suspicion.due;
    }
    core.suspicionsDue = due;
  }

  /** The nearest on the ring that nobody suspects. */
  #findNeighbours(): void {
    const { vector } = this.#core;
    this.#epoch = vector.epoch;
    const before = this.#previous;
    this.#next = this.#neighbour(1);
    this.#previous = this.#neighbour(-1);
    if (this.#previous !== before) this.#previousHeard = this.#core.now;
  }

  #neighbour(step: 1 | -1): number {
    const { roster, vector, self } = this.#core;
    const { size, order } = roster;
    const place = roster.place(self);
    for (let i = 1; i < size; i += 1) {
      const slot = order[(place + step * i + size) % size];
      if (vector.state[slot] === STATE.alive) return slot;
    }
    return -1;
  }
}
