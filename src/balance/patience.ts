/** When a process may move again: not right after it came, and not again and again where it is refused. */
import type { Tunables } from './tunables.ts';

interface Past {
  /** Automatic moves, forgotten by halves. */
  moves: number;
  movedAt: number;
  attempts: number;
  restsUntil: number;
  restsWhy: string;
}

/** Milliseconds of peace after which half of the moves are forgotten. */
const FORGOTTEN_MS = 60_000;

export class Patience {
  readonly #tunables: Tunables;
  readonly #past = new Map<number, Past>();
  readonly #nodes = new Map<string, { until: number; why: string }>();

  constructor(tunables: Tunables) {
    this.#tunables = tunables;
  }

  moved(pid: number, at: number): void {
    const past = this.#of(pid);
    past.moves = (past.moves === 0 ? 0 : past.moves * 0.5 ** ((at - past.movedAt) / FORGOTTEN_MS)) + 1;
    past.movedAt = at;
    past.attempts = 0;
  }

  /** It could not leave: something keeps it. */
  kept(pid: number, at: number, why: string): void {
    const past = this.#of(pid);
    const { restMs, longestRestMs } = this.#tunables;
    past.restsUntil = at + Math.min(longestRestMs, restMs * 2 ** past.attempts);
    past.restsWhy = why;
    past.attempts += 1;
  }

  /** A node has refused, or cannot be reached. */
  refused(node: string, at: number, why: string): void {
    this.#nodes.set(node, { until: at + this.#tunables.refusedMs, why });
  }

  /** Why nothing is to be tried with this node now. */
  ofNode(node: string, now: number): string | undefined {
    const found = this.#nodes.get(node);
    return found !== undefined && found.until > now ? found.why : undefined;
  }

  /** Why it cannot be tried again yet. */
  keeps(pid: number, now: number): string | undefined {
    const past = this.#past.get(pid);
    return past !== undefined && past.restsUntil > now ? past.restsWhy : undefined;
  }

  /** Why it stays for the sake of calm. */
  resides(pid: number, now: number): string | undefined {
    const past = this.#past.get(pid);
    if (past === undefined || past.moves === 0) return undefined;
    const { residencyMs, longestResidencyMs } = this.#tunables;
    const moves = past.moves * 0.5 ** ((now - past.movedAt) / FORGOTTEN_MS);
    const left = past.movedAt + Math.min(longestResidencyMs, residencyMs * 2 ** (Math.max(1, moves) - 1)) - now;
    return left > 0 ? `it came ${seconds(now - past.movedAt)} ago and stays for ${seconds(left)} more` : undefined;
  }

  /** Only these processes are left. */
  keepOnly(pids: ReadonlySet<number>): void {
    for (const pid of this.#past.keys()) if (!pids.has(pid)) this.#past.delete(pid);
  }

  #of(pid: number): Past {
    const known = this.#past.get(pid);
    if (known !== undefined) return known;
    const fresh: Past = { moves: 0, movedAt: -Infinity, attempts: 0, restsUntil: -Infinity, restsWhy: '' };
    this.#past.set(pid, fresh);
    return fresh;
  }
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
