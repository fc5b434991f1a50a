/**
 * The numbers that gossip can be tuned by. Each says what larger and smaller values do.
 *
 * The times of failure detection belong together. A node may be starved of its CPU for some seconds and must not be declared
 * dead for it: helpMs + suspicionMs, the time from the second question to the verdict, has to exceed the stall by what a
 * refutation needs (it goes to the accuser directly, so some round trips). And a death is known to all after at most
 * silenceMs + askMs + helpMs + suspicionMs + the time that urgent news take (some hops): 2.5 + 0.5 + 5.4 + 1 s.
 */
export interface Tunables {
  /** Milliseconds between two exchanges with a random node. Larger: older information; smaller: more traffic. */
  readonly periodMs: number;
  /** Milliseconds between two questions to the next node on the ring. Larger: deaths are noticed later; smaller: traffic. */
  readonly ringMs: number;
  /** Milliseconds without a word from the previous node on the ring, after which it is asked; ringMs and some slack. */
  readonly silenceMs: number;
  /** Milliseconds for a direct answer. Smaller: helpers are asked in vain while a network is slow. */
  readonly askMs: number;
  /** Milliseconds for an answer by way of helpers. */
  readonly helpMs: number;
  /** Nodes that are asked to ask. Larger: a broken path between two nodes is less often taken for a death. */
  readonly helpers: number;
  /**
   * Milliseconds from an unanswered question to the verdict once `confirmations` others got no answer, either. Larger:
   * starved nodes may stall for longer; smaller: deaths are known sooner.
   */
  readonly suspicionMs: number;
  /** While nobody confirms, the suspicion lasts that many times longer (Lifeguard: LHA-suspicion). */
  readonly suspicionFactor: number;
  /** Independent accusers that make suspicionMs hold. */
  readonly confirmations: number;
  /** Milliseconds between two questions to a suspect. */
  readonly appealMs: number;
  /** Who has only heard of a suspicion judges that much later, and up to twice; it asks the suspect itself before. */
  readonly hearsayMs: number;
  /** Nodes to which urgent news (deaths, leavings) go at once. exp(-fanout) of the nodes hear them a period later. */
  readonly fanout: number;
  /** Milliseconds for which urgent news are collected before they go out. */
  readonly urgentMs: number;
  /** News are sent newsFactor · ⌈log10(n + 1)⌉ times by each node; SWIM's λ. */
  readonly newsFactor: number;
  /** News in one datagram. */
  readonly newsPerMessage: number;
  /** Milliseconds between two attempts to reach dead nodes or seeds again; the nodes share the work. */
  readonly retryMs: number;
  /** Milliseconds for which a dead node is remembered. Larger: partitions may last longer before they do not merge by themselves. */
  readonly forgetMs: number;
  /** A delay of an own timer that counts as a stall of this node: it judges nobody by what it missed meanwhile. */
  readonly stalledMs: number;
  /** Mean age that the window is made for, in periods: about 0.65 · n / window. Smaller: more traffic. */
  readonly goalAge: number;
  /** Entries in one exchange, both ways together. The most is what two datagrams hold. */
  readonly minWindow: number;
  readonly maxWindow: number;
  /** Each how-many-th exchange is with the node of the oldest entry; 0: none. */
  readonly oldestEvery: number;
}

export const DEFAULTS: Tunables = {
  periodMs: 1000,
  ringMs: 2000,
  silenceMs: 2500,
  askMs: 200,
  helpMs: 300,
  helpers: 3,
  suspicionMs: 5400,
  suspicionFactor: 2,
  confirmations: 3,
  appealMs: 600,
  hearsayMs: 1000,
  fanout: 4,
  urgentMs: 50,
  newsFactor: 3,
  newsPerMessage: 12,
  retryMs: 10_000,
  forgetMs: 7 * 24 * 3_600_000,
  stalledMs: 400,
  goalAge: 4,
  minWindow: 6,
  maxWindow: 30,
  oldestEvery: 8,
};

/** Entries in one exchange among `nodes` nodes. */
export function windowFor(nodes: number, { goalAge, minWindow, maxWindow }: Tunables): number {
  return Math.min(maxWindow, Math.max(minWindow, Math.ceil((0.65 * nodes) / goalAge)));
}

/** The part of a window that goes out with the request; the rest is for what the asker lacks most. */
export function pushedOf(window: number): number {
  return Math.max(2, Math.floor(window / 4));
}
