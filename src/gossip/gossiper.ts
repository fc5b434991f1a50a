/**
 * A node's part in the gossip: what it does when its time has come, and what it answers.
 *
 * Pure policy: it is told the time, sends by what it was given, and is called by whoever owns timers and sockets, which in
 * a simulation is one loop for ten thousand of them. `tick` at `wakeAt` or soon after; `receive` for each message.
 */
import { Core, type CoreOptions } from './core.ts';
import { Detector } from './detector.ts';
import { Exchange } from './exchange.ts';
import { hearEntries, hearNews, hearSync, heardFrom } from './merge.ts';
import { STATE, takesPart } from './member_state.ts';
import { MAX_UNKNOWN, MESSAGE, type Message } from './message.ts';
import type { Vector } from './vector.ts';

/** Milliseconds for which a node is new and learns, and has nothing to tell. */
const JOINING_MS = 3000;
/** Milliseconds after a stall in which messages may still come that had waited for this node. */
const BACKLOG_MS = 20;
/** Members of a greet list that are told at a time. */
const GREETINGS = 8;

export class Gossiper {
  readonly core: Core;
  readonly #detector: Detector;
  readonly #exchange: Exchange;
  #exchangeAt: number;
  #retryAt: number;
  #backlogUntil = 0;
  #backlogMs = 0;

  /** @param now Milliseconds of a steady clock; all later times are of the same one. */
  constructor(options: CoreOptions, now: number) {
    this.core = new Core(options);
    this.core.now = now;
    this.core.joinedBy = now + JOINING_MS;
    const { periodMs, retryMs } = options.tunables;
    this.#detector = new Detector(this.core);
    this.#exchange = new Exchange(this.core);
    this.#exchangeAt = now + options.outside.random() * periodMs;
    this.#retryAt = now + options.outside.random() * retryMs;
    this.core.wakeAt = now;
  }

  get vector(): Vector {
    return this.core.vector;
  }

  /** When `tick` is to be called. */
  get wakeAt(): number {
    return this.core.wakeAt;
  }

  /** This node has measured itself anew. */
  published(now: number): void {
    const { vector, self } = this.core;
    vector.seq[self] += 1;
    vector.stamp[self] = now;
  }

  /** Says good-bye; nothing more is sent on its own afterwards. */
  leave(now: number): void {
    const { core } = this;
    core.now = now;
    core.vector.setState(core.self, STATE.left);
    core.news.add({ slot: core.self, state: STATE.left, incarnation: core.incarnation, from: core.self, urgent: true });
    core.spreadUrgent();
  }

  tick(now: number): void {
    const { core } = this;
    this.#notice(now);
    if (core.vector.state[core.self] !== STATE.alive) {
      core.wakeAt = Infinity;
      return;
    }
    this.#detector.tick();
    if (now >= this.#exchangeAt) this.#exchangeEntries();
    if (now >= this.#retryAt) this.#retry();
    if (core.greet.length > 0) this.#greetSome();
    if (now >= core.urgentAt) core.spreadUrgent();
    const again = core.greet.length > 0 ? now + core.tunables.urgentMs : Infinity;
    core.wakeAt = Math.min(this.#exchangeAt, this.#retryAt, this.#detector.due, core.urgentAt, again);
  }

  receive(message: Message, now: number): void {
    const { core } = this;
    const { from } = message;
    if (from === core.self || core.vector.state[core.self] !== STATE.alive) return;
    core.vector.reserve(core.roster.size);
    this.#notice(now);
    heardFrom(core, from, message.incarnation);
    this.#detector.heardFrom(from);
    const hear = message.type === MESSAGE.sync ? hearSync : hearNews;
    for (let row = 0; row < message.news; row += 1) hear(core, message, row);
    if (message.entries > 0) hearEntries(core, message, now < this.#backlogUntil ? this.#backlogMs : 0);
    this.#answer(message);
    if (message.unknown.length > 0 && message.type !== MESSAGE.who) this.#askWho(message);
  }

  /** A message for a seed, of which nothing but an address is known. */
  greeting(): Message {
    const message = this.core.begin(MESSAGE.syncRequest);
    this.#introduce(message, this.core.self);
    return message;
  }

  /** Somebody whose name is unknown has sent something. */
  question(id: number): Message {
    const message = this.core.begin(MESSAGE.who);
    message.unknown.push(id);
    this.#introduce(message, this.core.self);
    return message;
  }

  /** Sees whether this node has stood still. */
  #notice(now: number): void {
    const { core } = this;
    const late = now - core.wakeAt;
    core.now = now;
    if (late <= core.tunables.stalledMs) return;
    this.#detector.pause(late);
    this.#backlogUntil = now + BACKLOG_MS;
    this.#backlogMs = late;
    core.wakeAt = now;
  }

  #answer(message: Message): void {
    const { core } = this;
    const { from } = message;
    switch (message.type) {
      case MESSAGE.request:
        core.send(from, this.#exchange.reply(message));
        return;
      case MESSAGE.reply:
        this.#detector.answered(message);
        return;
      case MESSAGE.ping:
        core.send(from, core.begin(MESSAGE.ack, message.ask));
        return;
      case MESSAGE.ack:
        this.#detector.answered(message);
        return;
      case MESSAGE.pingFor:
        this.#detector.askFor(message);
        return;
      case MESSAGE.nack:
        this.#detector.denied(message);
        return;
      case MESSAGE.who:
        this.#sayWho(message);
        return;
      case MESSAGE.syncRequest:
        this.#sync(from, true);
        return;
      case MESSAGE.sync:
        if (message.wantsBack) this.#sync(from, false);
        return;
      default:
    }
  }

  #exchangeEntries(): void {
    const { core } = this;
    // A node that has fallen behind takes up its rhythm again, and does not make up for what it missed.
    this.#exchangeAt = Math.max(this.#exchangeAt + core.tunables.periodMs, core.now + core.tunables.periodMs / 2);
    const to = this.#exchange.partner();
    if (to >= 0) core.send(to, this.#exchange.request(to, this.#detector.asking(to)));
  }

  /** Looks for the dead and the lost: partitions heal, and who was cut off does not know. */
  #retry(): void {
    const { core } = this;
    const { dead, members } = core.vector;
    this.#retryAt = core.now + core.tunables.retryMs * (0.75 + core.outside.random() / 2);
    core.outside.greetSeed();
    // So that each dead member is tried about twice in that time by all nodes together, and by each of a few nodes.
    if (dead === 0 || core.outside.random() * members > 2 * dead + 4) return;
    const slot = core.randomDead();
    const message = core.begin(MESSAGE.syncRequest);
    this.#introduce(message, core.self);
    core.send(slot, message);
  }

  #greetSome(): void {
    const { core } = this;
    for (const slot of core.greet.splice(0, GREETINGS)) {
      if (core.vector.state[slot] === STATE.dead) core.send(slot, core.begin(MESSAGE.ping));
    }
  }

  /** Everything that this node believes about others. */
  #sync(to: number, wantsBack: boolean): void {
    const { core } = this;
    const { vector, roster } = core;
    const message = core.begin(MESSAGE.sync);
    message.wantsBack = wantsBack;
    message.reserveNews(roster.size);
    for (let slot = 0; slot < roster.size; slot += 1) {
      if (vector.state[slot] !== STATE.unknown) {
        message.addNews(slot, vector.state[slot], vector.incarnation[slot], core.self);
      }
    }
    core.outside.send(to, message);
  }

  #askWho(message: Message): void {
    const question = this.core.begin(MESSAGE.who);
    question.unknown.push(...message.unknown.slice(0, MAX_UNKNOWN));
    this.core.send(message.from, question);
  }

  #sayWho(message: Message): void {
    const { core } = this;
    const answer = core.begin(MESSAGE.push);
    for (const id of message.unknown.slice(0, MAX_UNKNOWN)) {
      const slot = core.roster.slotOf(id);
      if (slot >= 0 && takesPart(core.vector.state[slot])) this.#introduce(answer, slot);
    }
    core.send(message.from, answer);
  }

  /** What we believe of a member, and with it its card. */
  #introduce(message: Message, slot: number): void {
    const { vector, self } = this.core;
    message.addNews(slot, STATE.alive, vector.incarnation[slot], self);
  }
}
