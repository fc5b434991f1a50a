/**
 * The balancer of one node: it decides for the processes whose home this node is, wherever they are, and for no others.
 * It names one move at a time, is told what became of it, and decides anew.
 *
 * Promise: nothing here waits, measures or moves; clock and random source are handed in, so that the simulator runs it as it is.
 */
import { shortageOf } from '../load/memory_trend.ts';
import { demandOf } from '../load/units.ts';
import type { NodeEntry } from '../gossip/entry.ts';
import type { Candidate } from './candidate.ts';
import { Commitments } from './commitments.ts';
import { Experience } from './experience.ts';
import { judge, type Figures, type Judgement } from './judge.ts';
import { Patience } from './patience.ts';
import { rescue } from './shortage.ts';
import { obstacle, stretchOf, type Seen, type Site } from './site.ts';
import { TUNABLES, type Tunables } from './tunables.ts';

export interface View {
  /** The node that decides; measured now. */
  readonly home: Pick<Seen, 'name' | 'entry'>;
  /** The others, those that can be reached. */
  readonly nodes: readonly Seen[];
  readonly candidates: readonly Candidate[];
  /** All of its processes, also those of which too little is known to move them. */
  readonly alive: ReadonlySet<number>;
}

export interface Proposal {
  readonly candidate: Candidate;
  readonly from: string;
  readonly to: string;
  readonly kind: 'cpu' | 'memory';
  readonly figures?: Figures;
  readonly why: string;
}

export interface Decision {
  readonly proposal?: Proposal;
  /** Of every candidate, for whoever asks why. */
  readonly judgements: readonly Judgement[];
}

export interface BalancerOptions {
  /** Milliseconds of a clock that does not go back. */
  readonly now: () => number;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly tunables?: Tunables;
}

/** Milliseconds that a call away takes beside the way there and back: trap, engine, deputy, measured in test/bench. */
const CALL_MS = 0.06;
interface Open {
  readonly demand: number;
  readonly memoryBytes: number;
}

/** What this node has moved itself, its own measurements know. */
const NOTHING: Open = { demand: 0, memoryBytes: 0 };

/** A move by hand counts as so many of ours: its residency is the longest there is. */
const BY_HAND = 6;

export class Balancer {
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #tunables: Tunables;
  readonly #patience: Patience;
  readonly #commitments = new Commitments();
  readonly #experience = new Experience();

  constructor({ now, random, tunables = TUNABLES }: BalancerOptions) {
    this.#now = now;
    this.#random = random;
    this.#tunables = tunables;
    this.#patience = new Patience(tunables);
  }

  decide(view: View): Decision {
    const now = this.#now();
    this.#patience.keepOnly(view.alive);
    const sites = this.#sites(view, now);
    const judgements = view.candidates.map((candidate) =>
      judge(candidate, {
        sites,
        cost: this.#experience,
        tunables: this.#tunables,
        random: this.#random,
        resting: ({ pid }) => this.#patience.keeps(pid, now) ?? this.#patience.resides(pid, now),
      }),
    );
    const movable = view.candidates.filter(
      ({ pid, bound }) => bound === undefined && this.#patience.keeps(pid, now) === undefined,
    );
    const saved = rescue(movable, sites);
    if (saved !== undefined) {
      const { candidate, to, shortBytes } = saved;
      const why = `${candidate.where} runs short of memory by ${megabytes(shortBytes)}; this one has ${megabytes(candidate.memoryBytes)}`;
      return { proposal: { candidate, from: candidate.where, to, kind: 'memory', why }, judgements };
    }
    return { proposal: this.#choose(judgements), judgements };
  }

  /** The move took place. @param askedAt When the receiver was asked: since then it counts it itself. */
  moved({ candidate, from, to }: Proposal, cost: { totalMs: number; bytes: number; askedAt: number }): void {
    const { demand, memoryBytes, set } = candidate;
    for (const pid of set) this.#patience.moved(pid, this.#now());
    this.#commitments.add({ at: this.#now(), askedAt: cost.askedAt }, { from, to, demand, memoryBytes });
    this.#experience.add(to, cost);
  }

  /** The receiver does not want it, or cannot be reached. */
  refused(node: string, why: string): void {
    this.#patience.refused(node, this.#now(), why);
  }

  /** Something about the process itself keeps it. */
  kept(pid: number, why: string): void {
    this.#patience.kept(pid, this.#now(), why);
  }

  /** Somebody has moved it by hand, and has had a reason: it is left there for as long as any process. */
  movedByHand(pid: number): void {
    for (let move = 0; move < BY_HAND; move += 1) this.#patience.moved(pid, this.#now());
  }

  /** Where a process that begins would be best off, its home included. It counts there from now on. */
  bestNode(view: View, beginner: Candidate): string {
    const sites = this.#sites(view, this.#now());
    const home = sites.find((site) => site.home);
    if (home === undefined) return view.home.name;
    const anywhere = { ...beginner, where: '' }; // it counts nowhere yet
    const options = sites
      .filter((site) => site === home || obstacle(beginner, site, home) === undefined)
      .map((site) => ({ site, stretch: stretchOf(anywhere, site) }));
    const best = Math.min(...options.map(({ stretch }) => stretch));
    const near = options.filter(({ stretch }) => stretch <= best * (1 + this.#tunables.nearBest));
    // Who asks for the best node wants home free for other work: where another one is as good, it is that.
    const others = near.filter((one) => one.site !== home);
    const { site } = others.length > 0 ? others[Math.floor(this.#random() * others.length)] : near[0];
    const { demand, memoryBytes } = beginner;
    const at = this.#now();
    if (site !== home) this.#commitments.add({ at, askedAt: at }, { from: '', to: site.name, demand, memoryBytes });
    return site.name;
  }

  /** Of those that gain most, one by chance: else all would have the same idea, or it would always be the same one's turn. */
  #choose(judgements: readonly Judgement[]): Proposal | undefined {
    const moves = judgements.filter(({ move }) => move);
    if (moves.length === 0) return undefined;
    const top = Math.max(...moves.map(({ figures }) => figures?.gainMs ?? 0));
    const near = moves.filter(({ figures }) => (figures?.gainMs ?? 0) >= top * (1 - this.#tunables.nearBest));
    const { candidate, to, figures, why } = near[Math.floor(this.#random() * near.length)];
    if (to === undefined) return undefined;
    return { candidate, from: candidate.where, to, kind: 'cpu', figures, why };
  }

  #sites({ home, nodes }: View, now: number): Site[] {
    const own = this.#site({ ...home, rttMs: 0, open: NOTHING });
    const { stay, lstay } = home.entry.status;
    const fixed = stay || lstay ? 'this node lets nothing leave by itself (mosctl stay, lstay)' : undefined;
    const others = nodes.map((seen) => {
      const open = this.#commitments.since(seen.name, now - seen.ageMs);
      return this.#site({ ...seen, open });
    });
    return [{ ...own, home: true, callMs: 0, closed: undefined, fixed }, ...others];
  }

  /** @param open What is true already and not in the entry yet. */
  #site({ name, entry, rttMs, open }: Omit<Seen, 'ageMs'> & { open: Open }): Site {
    const { demand, memoryBytes } = open;
    const { totalMemory, status, pressure } = entry;
    const memoryFree = entry.freeMemory - memoryBytes;
    const stalled = memoryBytes < 0 ? 0 : pressure.memory / 100; // an average of ten seconds is slow to see relief
    return {
      name,
      home: false,
      speed: entry.speed,
      cpus: entry.cpus,
      demand: Math.max(0, demandOf(entry, entry.load) + demand),
      memoryTotal: totalMemory,
      memoryFree,
      memoryShort: shortageOf({ total: totalMemory, free: memoryFree }, stalled),
      entry,
      callMs: CALL_MS + rttMs,
      closed: closedBy(entry) ?? this.#patience.ofNode(name, this.#now()),
      fixed: status.stay ? `${name} lets nothing leave by itself (mosctl stay)` : undefined,
    };
  }
}

/** Why a node takes no guests. */
function closedBy({ status, guests, maxGuests, speed, cpus }: NodeEntry): string | undefined {
  if (status.block) return 'it takes no guests (mosctl block)';
  if (status.leaving) return 'it is being emptied';
  if (status.ownerPresent) return 'its owner works at it';
  if (status.engineDown) return 'its engine does not run';
  if (guests >= maxGuests) return `it takes no more than ${maxGuests} guests`;
  return speed > 0 && cpus > 0 ? undefined : 'its speed is not known yet';
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / (1 << 20))} MB`;
}
