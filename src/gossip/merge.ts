/**
 * How what a node hears changes what it believes: SWIM's rules of precedence (Das, Gupta, Motivala 2002, §4.2).
 *
 * alive(i) overrides what is older than i. suspect(i) overrides alive(j) for i ≥ j. dead(i) and left(i) override all with j ≤ i.
 * Only a node itself raises its incarnation, and so only it can refute what is said of it.
 */
import type { Core } from './core.ts';
import type { NodeCard } from './entry.ts';
import { STATE, takesPart } from './member_state.ts';
import { MESSAGE, type Message } from './message.ts';
import { Suspicion } from './suspicion.ts';

/** Members whose wrong death is to be told them; more are found again by the next sync. */
const MOST_GREETED = 4096;

/** A message came from that member itself. */
export function heardFrom(core: Core, slot: number, incarnation: number): void {
  const { vector } = core;
  const state = vector.state[slot];
  if (state === STATE.unknown || incarnation > vector.incarnation[slot]) {
    becomeAlive(core, slot, incarnation);
    if (!isJoining(core)) spread(core, slot, core.self, false);
    return;
  }
  if (state !== STATE.suspect) return;
  // It is there, whoever says otherwise; but the others believe only what it says itself, so it has to hear of it.
  const message = core.begin(MESSAGE.ping);
  core.send(slot, message);
  core.suspicions.delete(slot);
  setState(core, slot, STATE.alive);
}

/** News by whichever way. */
export function hearNews(core: Core, message: Message, row: number): void {
  const slot = message.newsSlot[row];
  const state = message.newsState[row];
  const incarnation = message.newsIncarnation[row];
  const from = message.newsFrom[row];
  if (slot === core.self) {
    hearOfSelf(core, { state, incarnation, from });
    return;
  }
  const { vector } = core;
  const own = vector.incarnation[slot];
  const known = vector.state[slot];
  switch (state) {
    case STATE.alive:
      if (known !== STATE.unknown && incarnation <= own) return;
      becomeAlive(core, slot, incarnation, message.newsCard[row]);
      spread(core, slot, core.self, false);
      return;
    case STATE.suspect:
      hearSuspicion(core, { slot, incarnation, from });
      return;
    case STATE.dead:
    case STATE.left:
      if (known === STATE.unknown || incarnation < own || !takesPart(known)) return;
      depart(core, slot, incarnation, state);
      return;
    default:
  }
}

/** A row of another node's whole list: what it believes, and not what has just happened. */
export function hearSync(core: Core, message: Message, row: number): void {
  const slot = message.newsSlot[row];
  const incarnation = message.newsIncarnation[row];
  const state = message.newsState[row];
  if (slot === core.self) {
    if (!takesPart(state)) hearOfSelf(core, { state, incarnation, from: message.from });
    return;
  }
  const { vector } = core;
  const known = vector.state[slot];
  const isNewer = known === STATE.unknown || incarnation > vector.incarnation[slot];
  if (!takesPart(state)) {
    // It may be dead only to those who cannot reach it; whoever can will find out. Who knows nothing of it remembers.
    if (known !== STATE.unknown) return;
    vector.renew(slot, incarnation);
    setState(core, slot, state);
  } else if (isNewer) {
    becomeAlive(core, slot, incarnation, message.newsCard[row]);
    if (!isJoining(core)) spread(core, slot, core.self, false);
  } else if (known === STATE.dead && core.greet.length < MOST_GREETED) {
    core.greet.push(slot);
    core.wakeBy(core.now);
  }
}

/** Who joins has nothing to tell to those from whom it gets all. */
function isJoining(core: Core): boolean {
  return core.now < core.joinedBy;
}

/** @param lateMs How long the message may have waited for this node, which stood still. */
export function hearEntries(core: Core, message: Message, lateMs: number): void {
  const { vector, self, outside } = core;
  for (let row = 0; row < message.entries; row += 1) {
    const slot = message.entrySlot[row];
    const incarnation = message.entryIncarnation[row];
    if (slot === self) {
      // A former life that began in the same second: what this one says would count as old.
      if (incarnation === core.incarnation && message.entrySeq[row] > vector.seq[self]) vector.incarnation[self] += 1;
      continue;
    }
    // Who measures is alive, in that incarnation.
    if (vector.state[slot] === STATE.unknown || incarnation > vector.incarnation[slot]) {
      becomeAlive(core, slot, incarnation);
    }
    if (incarnation !== vector.incarnation[slot] || !takesPart(vector.state[slot])) continue;
    const stamp = core.now - message.entryAge[row] - lateMs;
    if (vector.take(slot, message.entrySeq[row], stamp)) outside.took(slot, message, row);
  }
}

/** This node got no answer from that member. */
export function accuse(core: Core, slot: number, begun: number): Suspicion | undefined {
  const { vector } = core;
  if (!takesPart(vector.state[slot])) return undefined;
  const found = core.suspicions.get(slot);
  const suspicion = found ?? suspect(core, { slot, incarnation: vector.incarnation[slot], begun, own: true });
  suspicion.makeOwn(begun);
  suspicion.confirm(core.self);
  if (found === undefined) spread(core, slot, core.self, false);
  noteDue(core, suspicion);
  return suspicion;
}

/** The verdict. */
export function declareDead(core: Core, slot: number): void {
  depart(core, slot, core.vector.incarnation[slot], STATE.dead);
}

export function noteDue(core: Core, suspicion: Suspicion): void {
  core.suspicionsDue = Math.min(core.suspicionsDue, suspicion.due);
  core.wakeBy(core.suspicionsDue);
}

interface Claim {
  readonly state: number;
  readonly incarnation: number;
  readonly from: number;
}

/** What others say of this node is refuted unless it is the truth. */
function hearOfSelf(core: Core, { state, incarnation, from }: Claim): void {
  const { vector, self } = core;
  if (vector.state[self] !== STATE.alive || incarnation < core.incarnation) return;
  if (state === STATE.alive && incarnation === core.incarnation) return;
  vector.incarnation[self] = incarnation + 1;
  core.health.bad();
  spread(core, self, self, true);
  if (from >= 0 && from !== self) core.send(from, core.begin(MESSAGE.push));
}

function hearSuspicion(
  core: Core,
  { slot, incarnation, from }: { slot: number; incarnation: number; from: number },
): void {
  const { vector } = core;
  if (vector.state[slot] === STATE.unknown || incarnation < vector.incarnation[slot]) return;
  if (!takesPart(vector.state[slot])) return;
  if (incarnation > vector.incarnation[slot]) becomeAlive(core, slot, incarnation);
  const found = core.suspicions.get(slot);
  const suspicion = found ?? suspect(core, { slot, incarnation, begun: core.now, own: false });
  suspicion.confirm(from);
  // Who else accuses matters to the accusers only, and they have asked helpers; so one accusation is enough news.
  if (found !== undefined) return;
  spread(core, slot, from, false);
  noteDue(core, suspicion);
}

function suspect(core: Core, given: { slot: number; incarnation: number; begun: number; own: boolean }): Suspicion {
  const hearsayMs = core.tunables.hearsayMs * (1 + core.outside.random());
  const suspicion = new Suspicion({ ...given, hearsayMs }, core.tunables);
  core.suspicions.set(given.slot, suspicion);
  setState(core, given.slot, STATE.suspect);
  return suspicion;
}

function becomeAlive(core: Core, slot: number, incarnation: number, card?: NodeCard): void {
  // Where a node is can change with its incarnation only; so an old rumour does not lead astray.
  if (card !== undefined) core.roster.add(card);
  core.suspicions.delete(slot);
  core.vector.renew(slot, incarnation);
  setState(core, slot, STATE.alive);
}

function depart(core: Core, slot: number, incarnation: number, state: number): void {
  core.suspicions.delete(slot);
  core.vector.incarnation[slot] = incarnation;
  setState(core, slot, state);
  spread(core, slot, core.self, true);
}

function setState(core: Core, slot: number, state: number): void {
  if (core.vector.state[slot] === state) return;
  core.vector.setState(slot, state);
  core.outside.changed(slot, state);
}

/** Has what this node believes of a member ride on its next messages. */
function spread(core: Core, slot: number, from: number, urgent: boolean): void {
  const { vector, news } = core;
  news.add({ slot, state: vector.state[slot], incarnation: vector.incarnation[slot], from, urgent });
  if (urgent && slot !== core.self) core.hurry();
}
