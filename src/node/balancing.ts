/**
 * The balancer at work: measures each second, tells the others, has the policy decide (src/balance), asks the receiver,
 * moves, and writes down why. One move at a time; after each it decides anew.
 *
 * Promise: never throws. What cannot be measured, asked or moved is left out this time and tried again.
 */
import { performance } from 'node:perf_hooks';
import * as v from 'valibot';

import { Admission } from '../balance/admission.ts';
import { Balancer, type Proposal, type View } from '../balance/balancer.ts';
import type { Candidate } from '../balance/candidate.ts';
import { DecisionLog } from '../balance/decision_log.ts';
import { userGroups } from '../balance/user_shares.ts';
import { Distances } from '../load/distances.ts';
import { Hindsight } from '../balance/hindsight.ts';
import type { Seen } from '../balance/site.ts';
import type { InformationVector } from '../gossip/entry.ts';
import type { NodeConfig } from '../lib/config.ts';
import { messageOf } from '../lib/errors.ts';
import { demandOf } from '../load/units.ts';
import type { GuestAddress, MoveResult, ProcessList } from '../wire/engine_protocol.ts';
import { RefusedError } from '../wire/line_errors.ts';
import { pause } from './backoff.ts';
import { calibratedSpeed } from './calibrate.ts';
import type { EngineLink } from './engine_link.ts';
import { JobMeters } from './job_meters.ts';
import type { Jobs, Member } from './jobs.ts';
import { LoadMeter, sessions } from './load_meter.ts';
import type { Log } from './log.ts';
import type { NodeOrders } from './node_orders.ts';
import type { Peers } from './peers.ts';
import { SharingSets } from './sharing_sets.ts';
import { UserCgroups } from './user_cgroups.ts';

/** Milliseconds between two looks at everything. Smaller: bursts spread sooner; larger: less work for mosd. */
const LOOK_MS = 1_000;
/** Milliseconds until a receiver has answered whether a process may come. */
const ASK_MS = 2_000;
/** And what it measures of its guests. */
const GUESTS_MS = 500;
/** An entry older than this says nothing of what a node is like now. Milliseconds. */
const STALE_MS = 15_000;
/** What a node may be asked for. */
const guestsQuestion = v.object({ guests: v.literal(true) });
const guestsAnswer = v.object({ guests: v.array(v.tuple([v.number(), v.number()])) });
const reserveQuestion = v.object({
  reserve: v.object({
    pid: v.number(),
    demand: v.pipe(v.number(), v.minValue(0), v.maxValue(100_000)),
    memoryBytes: v.pipe(v.number(), v.minValue(0)),
    progress: v.pipe(v.number(), v.minValue(0)),
  }),
});

/** It has ended, or came home by itself, while it was to move. */
const ENDED: ReadonlySet<string> = new Set(['no-such-process', 'not-away']);

const NOTHING: ProcessList = { away: [], guests: [], returned: [] };

export interface BalancingOptions {
  config: NodeConfig;
  version: string;
  engine: EngineLink;
  jobs: Jobs;
  board: InformationVector;
  peers: Peers;
  orders: NodeOrders;
  log: Log;
  /** Where a node's engine is; undefined if it is this node. @throws RefusedError */
  targetOf: (node: string) => Promise<GuestAddress | undefined>;
}

export class Balancing {
  readonly decisions = new DecisionLog();
  readonly #options: BalancingOptions;
  readonly #stop = new AbortController();
  readonly #admission = new Admission(() => performance.now());
  readonly #balancer = new Balancer({ now: () => performance.now(), random: Math.random });
  readonly #hindsight = new Hindsight();
  readonly #meters = new JobMeters();
  readonly #sets: SharingSets;
  #meter: LoadMeter | undefined;
  #list: ProcessList = NOTHING;
  readonly #distances = new Distances();
  readonly #users = new UserCgroups();
  /** What the hosts of this node's programs measure. */
  #demandsAway: ReadonlyMap<number, number> = new Map();
  #looked = -Infinity;
  /** Of the candidates, when they were looked at last. */
  #demands = new Map<number, number>();
  /** Rounds since guests were looked at without need. */
  #guestTurn = 0;
  /** What the engine has been told, and which one. */
  #doors: { closed: string | undefined; engine: number | undefined } = { closed: undefined, engine: undefined };

  constructor(options: BalancingOptions) {
    this.#options = options;
    this.#sets = new SharingSets(options.engine);
  }

  /** Measures and balances until stopped. */
  async run(): Promise<void> {
    const { config, version, log } = this.#options;
    const speed = config.speed ?? (await calibratedSpeed(config.runDir));
    this.#meter = new LoadMeter({ speed, version });
    log('load.speed', { speed, given: config.speed !== undefined });
    while (!this.#stop.signal.aborted) {
      const moved = await this.#round().catch((error: unknown) => {
        log('balance.failed', { why: messageOf(error) });
        return false;
      });
      // After a move the next one may be due at once: a burst is to spread faster than one program a second.
      if (!moved) await pause(LOOK_MS - Math.min(this.#sinceLook, LOOK_MS - 50), this.#stop.signal);
    }
  }

  stop(): void {
    this.#stop.abort();
    this.#users.stop();
  }

  /** All that is here is about to leave: the others hear that nothing may come. */
  leave(): void {
    this.#options.orders.leaving = true;
    this.#publish();
    this.stop();
  }

  /** A peer asks something of this node's balancer. */
  answer(peer: string, question: unknown): unknown {
    if (v.is(guestsQuestion, question)) return { guests: this.#guestsOf(peer) };
    const asked = v.safeParse(reserveQuestion, question);
    const own = this.#ownEntry();
    if (!asked.success || own === undefined) return { refused: 'it does not understand the question' };
    const refused = this.#admission.ask({ ...asked.output.reserve, home: peer }, own);
    if (refused === undefined) this.#publish();
    return refused === undefined ? { welcome: true } : { refused };
  }

  /** What may come has changed: the engine and the others are told. */
  async ordersChanged(): Promise<void> {
    const { orders, engine } = this.#options;
    this.#doors = { closed: orders.closed, engine: engine.pid };
    this.#publish();
    if (engine.down === undefined) await engine.engine.doors(orders.closed).catch(() => {});
  }

  /** It came home by itself, for something that only home can do. */
  cameHome(pid: number): void {
    this.#balancer.kept(pid, 'it came home by itself a moment ago (mosps says why)');
  }

  /** Somebody has moved it by hand, and has had a reason. */
  movedByHand(pid: number): void {
    this.#balancer.movedByHand(pid);
  }

  /** The best node for a process that begins: a name, this node's own included. */
  bestFor(member: Member): string {
    const view = this.#view([], new Set());
    const { config } = this.#options;
    return view === undefined ? config.name : this.#balancer.bestNode(view, beginner(member, config.name));
  }

  /**
   * The best node for a program that a user is about to begin by other means; it counts as begun there.
   * @param freeBytes that it needs
   * @returns undefined if no node has so much
   */
  bestNode(uid: number, freeBytes: number): string | undefined {
    const { config, board } = this.#options;
    const view = this.#view([], new Set());
    const free = (board.node(config.name)?.entry?.freeMemory ?? Infinity) >= freeBytes;
    if (view === undefined) return free ? config.name : undefined;
    const program = { ...beginner({ pid: 0, job: { uid, options: {} } }, config.name), wishes: { freeBytes } };
    const best = this.#balancer.bestNode(view, program);
    return best === config.name && !free ? undefined : best;
  }

  get #sinceLook(): number {
    return performance.now() - this.#looked;
  }

  /** @returns whether something has moved */
  async #round(): Promise<boolean> {
    const { jobs, config, engine } = this.#options;
    const members = jobs.all().flatMap((job) => [...job.members.values()]);
    const before = this.#list;
    if (await this.#isOfInterest(members)) this.#list = await engine.engine.list().catch(() => before);
    this.#notice(before);
    await this.#mindTheDoor();
    this.#look(members);
    this.#publish();
    this.#users.apply(userGroups(this.#owners(members), config.userWeights));
    if (!config.balance || members.length === 0) return false;
    await this.#askHosts();
    await this.#sets.refresh(members.filter(({ pid }) => !this.#rowOf(pid)).map(({ pid }) => pid));
    const candidates = this.#candidates(members);
    const view = this.#view(candidates, new Set(members.map(({ pid }) => pid)));
    if (view === undefined) return false;
    this.#demands = new Map(candidates.map(({ pid, demand }) => [pid, demand]));
    this.#lookBack(view);
    const { proposal, judgements } = this.#balancer.decide(view);
    for (const { candidate, to, figures, why } of judgements) {
      const { pid, where: from } = candidate;
      this.decisions.stays({ at: Date.now(), pid, kind: 'stays', from, to, why, figures });
    }
    return proposal !== undefined && this.#act(proposal, view);
  }

  async #isOfInterest(members: readonly Member[]): Promise<boolean> {
    const { engine } = this.#options;
    if (engine.down !== undefined) return false;
    // Guests come unasked, by hand for one: a look at them costs little, but not nothing.
    return (
      members.length > 0 || this.#list.guests.length > 0 || this.#admission.promised().demand > 0 || this.#guestsDue()
    );
  }

  /** Users come and go, and an engine that starts anew knows nothing. */
  async #mindTheDoor(): Promise<void> {
    const { orders, engine, config, log } = this.#options;
    orders.users = sessions().length;
    const present = config.workstation && orders.users > 0;
    const came = present && !orders.ownerPresent;
    orders.ownerPresent = present;
    if (orders.closed !== this.#doors.closed || engine.pid !== this.#doors.engine) await this.ordersChanged();
    if (!came || engine.down !== undefined) return;
    log('owner.came', { users: orders.users });
    await engine.engine.expel('the owner of its host works there').catch(() => {});
  }

  #guestsDue(): boolean {
    this.#guestTurn = (this.#guestTurn + 1) % 5;
    return this.#guestTurn === 0;
  }

  /** Guests that have come run in processes that have waited for them, and programs that came home in their deputies. */
  #notice(before: ProcessList): void {
    const { away, guests } = this.#list;
    const known = new Set(before.guests.map(({ hostPid }) => hostPid));
    for (const { home, pid, hostPid = 0, state } of guests)
      if (state === 'guest' && !known.has(hostPid))
        this.#meter?.begins(hostPid, this.#admission.arrived(home, pid) ?? 1);
    const gone = new Set(away.map(({ pid }) => pid));
    for (const { pid } of before.away) if (!gone.has(pid)) this.#meter?.begins(pid, this.#demands.get(pid) ?? 1);
  }

  #look(members: readonly Member[]): void {
    if (this.#meter === undefined || (this.#sinceLook < LOOK_MS * 0.9 && this.#looked > 0)) {
      this.#meters.feed(this.#list.away, (pid) => this.#meter?.use(pid));
      return;
    }
    this.#looked = performance.now();
    this.#meter.sample(new Set(members.map(({ pid }) => pid)));
    this.#meters.feed(this.#list.away, (pid) => this.#meter?.use(pid));
  }

  #publish(): void {
    const entry = this.#ownEntry();
    if (entry !== undefined) this.#options.board.publish(entry);
  }

  #ownEntry(): ReturnType<LoadMeter['entry']> | undefined {
    const { config, orders, engine } = this.#options;
    const { away, guests } = this.#list;
    return this.#meter?.entry({
      guests: guests.length,
      away: away.length,
      forwardedPerSecond: away.reduce((sum, row) => sum + row.forwardedPerSecond, 0),
      status: { ...orders.status, engineDown: engine.down !== undefined },
      maxGuests: config.maxGuests,
      promised: this.#admission.promised(),
      users: orders.users,
      idle: new Set([process.pid, engine.pid ?? 0, ...away.map(({ pid }) => pid)]),
    });
  }

  /** What guests of a home ask for: their ids there, and the tasks that run or want to run. */
  #guestsOf(home: string): [number, number][] {
    return this.#list.guests.flatMap((guest): [number, number][] => {
      const use = guest.home === home ? this.#meter?.use(guest.hostPid ?? 0) : undefined;
      return use === undefined ? [] : [[guest.pid, use.demand]];
    });
  }

  /** Only a host sees how long a guest waits for its CPUs. */
  async #askHosts(): Promise<void> {
    const { peers } = this.#options;
    const hosts = new Set(this.#list.away.map(({ where }) => where));
    const links = peers.all.filter(({ peer }) => hosts.has(peer.name));
    const answers = await Promise.all(links.map((link) => link.ask({ guests: true }, GUESTS_MS)));
    this.#demandsAway = new Map(answers.flatMap((one) => (v.is(guestsAnswer, one) ? one.guests : [])));
  }

  /** Whose processes want this node's CPUs. */
  #owners(members: readonly Member[]): { pid: number; uid: number }[] {
    const here = members
      .filter(({ pid }) => this.#rowOf(pid) === undefined)
      .map(({ pid, job }) => ({ pid, uid: job.uid }));
    return [...here, ...this.#list.guests.map(({ uid, hostPid = 0 }) => ({ uid, pid: hostPid }))];
  }

  #rowOf(pid: number): ProcessList['away'][number] | undefined {
    return this.#list.away.find((row) => row.pid === pid);
  }

  #candidates(members: readonly Member[]): Candidate[] {
    const { config, board } = this.#options;
    const meter = this.#meter;
    if (meter === undefined) return [];
    const around = {
      node: config.name,
      useAtHome: (pid: number) => meter.use(pid),
      power: (node: string) => {
        const entry = board.node(node)?.entry;
        return entry === undefined ? undefined : { ...entry, demand: demandOf(entry, entry.load) };
      },
      setOf: (pid: number) => this.#sets.of(pid),
      demandAway: (pid: number) => this.#demandsAway.get(pid),
    };
    const seen = new Set<number>();
    return members.flatMap((member) => {
      if (seen.has(member.pid)) return [];
      const candidate = this.#meters.candidate(member, this.#rowOf(member.pid), around);
      for (const pid of candidate?.set ?? []) seen.add(pid);
      return candidate ?? [];
    });
  }

  #view(candidates: readonly Candidate[], alive: ReadonlySet<number>): View | undefined {
    const { board, peers, config } = this.#options;
    const entry = this.#ownEntry();
    if (entry === undefined || this.#meter === undefined) return undefined;
    for (const link of peers.all) this.#distances.feed(link.peer.name, link.status().rttMs);
    const nodes = board.nodes().flatMap((node): Seen[] => {
      if (node.self || node.state !== 'alive' || node.entry === undefined || node.ageMs > STALE_MS) return [];
      return [{ name: node.name, entry: node.entry, ageMs: node.ageMs, rttMs: this.#distances.of(node.name) }];
    });
    return { home: { name: config.name, entry }, nodes, candidates, alive };
  }

  #lookBack({ candidates }: View): void {
    const { board, log } = this.#options;
    const speedOf = (node: string): number | undefined => board.node(node)?.entry?.speed;
    for (const gain of this.#hindsight.look(performance.now(), candidates, speedOf)) {
      const why = `it became ${gain.came.toFixed(2)} times as fast; ${gain.predicted.toFixed(2)} was predicted`;
      this.decisions.event({ at: Date.now(), kind: 'gained', why, ...gain });
      log('balance.gained', { pid: gain.pid, to: gain.to, predicted: round(gain.predicted), came: round(gain.came) });
    }
  }

  async #act(proposal: Proposal, view: View): Promise<boolean> {
    const { log } = this.#options;
    const { candidate, from, to, figures, why } = proposal;
    const record = { at: Date.now(), pid: candidate.pid, from, to, figures };
    try {
      const askedAt = performance.now();
      const refused = await this.#reserve(proposal);
      if (refused !== undefined) {
        this.#balancer.refused(to, refused);
        this.decisions.event({ ...record, kind: 'refused', why: `${to} refuses it: ${refused}` });
        return false;
      }
      const result = await this.#move(proposal);
      this.#balancer.moved(proposal, { ...result, askedAt });
      const speed = [view.home, ...view.nodes].find(({ name }) => name === from)?.entry.speed ?? 0;
      this.#hindsight.moved(proposal, performance.now(), speed);
      const { freezeMs } = result;
      this.decisions.event({ ...record, kind: 'moved', why, freezeMs });
      log('balance.moved', {
        pid: candidate.pid,
        from,
        to,
        kind: proposal.kind,
        why,
        demandHere: round(figures?.demandHere ?? 0),
        demandThere: round(figures?.demandThere ?? 0),
        speedup: round((figures?.progressThere ?? 0) / (figures?.progressHere ?? 1)),
        freezeMs: round(freezeMs),
        totalMs: round(result.totalMs),
      });
      return true;
    } catch (error) {
      const reason = messageOf(error);
      if (error instanceof RefusedError && ENDED.has(error.code)) return false;
      if (isOfNode(error)) this.#balancer.refused(to, reason);
      else for (const pid of candidate.set) this.#balancer.kept(pid, reason);
      this.decisions.event({ ...record, kind: 'failed', why: reason });
      log('balance.stays', { pid: candidate.pid, from, to, why: reason });
      return false;
    }
  }

  /** @returns why not */
  async #reserve({ candidate, to, kind, figures }: Proposal): Promise<string | undefined> {
    const { config, peers } = this.#options;
    if (to === config.name) return undefined;
    const { pid, demand, memoryBytes } = candidate;
    const progress = kind === 'memory' ? 0 : (figures?.progressHere ?? 0);
    const link = peers.find(to);
    const answer: unknown = await link?.ask({ reserve: { pid, demand, memoryBytes, progress } }, ASK_MS);
    if (typeof answer !== 'object' || answer === null) return 'it does not answer';
    return 'refused' in answer ? String(answer.refused) : undefined;
  }

  async #move({ candidate, from, to, kind }: Proposal): Promise<MoveResult> {
    const { engine, config } = this.#options;
    const target = to === config.name ? undefined : await this.#options.targetOf(to);
    const { pid } = candidate;
    if (target === undefined) return engine.engine.home(pid, () => {});
    const result = await engine.engine.migrate({ pid, to: target }, () => {});
    // Else home would have lost the program and kept its memory.
    if (kind === 'memory' && from === config.name)
      for (const each of candidate.set) await engine.engine.release(each).catch(() => {});
    return result;
  }
}

/** What is known of a program before it runs: it is going to compute. */
function beginner(
  { pid, job }: { pid: number; job: Pick<Member['job'], 'uid' | 'options'> },
  where: string,
): Candidate {
  const { nodes, notNodes, freeMegabytes } = job.options;
  return {
    pid,
    set: [pid],
    uid: job.uid,
    where,
    demand: 1,
    cpus: 0,
    callsPerWork: 0,
    memoryBytes: 0,
    runnableMs: 0,
    wishes: { nodes, notNodes, freeBytes: freeMegabytes === undefined ? undefined : freeMegabytes * (1 << 20) },
  };
}

/** Whether a move failed for something that is not the process's own. */
function isOfNode(error: unknown): boolean {
  return !(error instanceof RefusedError) || error.code === 'node-unreachable' || error.code === 'failed';
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
