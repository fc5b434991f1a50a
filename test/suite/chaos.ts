/**
 * npm run suite -- chaos: all programs and workloads at once, in random order, on the same three hosts, each moved every 20 to
 * 200 ms to a random node. When the time is up none is started or moved any more; each has its deadline. A case passes as in mode `chaos`,
 * except that CPU time, which many share here, says nothing about it. At the end everything must be as it was: see `leaks.ts`.
 *
 * The seed gives the order of the cases and, for each, where it goes and when: a run is repeated as far as timing allows.
 */
import { type Case, emptyLine, type Line, ofTwoTries } from './case.ts';
import type { Reference } from './judge.ts';
import { openReason } from './known_open.ts';
import { Lab } from './lab.ts';
import { Leaks } from './leaks.ts';
import { skipUnrunnable } from './packages.ts';
import { type ChaosPlan, suites } from './plan.ts';
import { runCase, runReference } from './run_case.ts';
import { randomFrom, shuffled } from './trip.ts';

const suite = 'chaos';
/** What is started must have time to move. */
const startMarginMs = 8_000;
/** So long one program is moved about; what runs longer goes on where it is then. */
const movedForMs = 20_000;
/** Lanes that run workloads, in the first half of the time: each takes a minute or two, and the programs want a turn. */
function workloadLanes(minutes: number): number {
  return minutes < 4 ? 1 : 2;
}
/** How late a time-out may be where so many share the CPUs (common.h); one that begins anew with each move never ends. */
const toleranceMs = 3000;
/** How often a case must have moved, at least: where many run at once, one of them may stand in a queue. */
const movesWanted = 1;

interface Taken {
  readonly one: Case;
  readonly seed: number;
  /** It runs no more. */
  done(): void;
}

/** Endless: each case once in a random order, then all again in another; never one that is running. */
class Queue {
  readonly #cases: readonly Case[];
  readonly #seed: number;
  readonly #running = new Set<string>();
  #round = 0;
  #left: Case[] = [];

  constructor(cases: readonly Case[], seed: number) {
    this.#cases = cases;
    this.#seed = seed;
  }

  /** The next one, and the seed for what happens to it; undefined when all are running. */
  take(): Taken | undefined {
    if (this.#left.length === 0) {
      this.#round += 1;
      this.#left = shuffled(this.#cases, randomFrom(this.#seed + this.#round));
    }
    const index = this.#left.findIndex(({ name }) => !this.#running.has(name));
    if (index < 0) return undefined;
    const [one] = this.#left.splice(index, 1);
    this.#running.add(one.name);
    const done = (): void => void this.#running.delete(one.name);
    return { one, seed: hash(`${this.#seed} ${this.#round} ${one.name}`), done };
  }

  /** Those that have not begun in the first round. */
  get untouched(): number {
    return this.#round > 1 ? 0 : this.#left.length;
  }
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of Buffer.from(text)) value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  return value;
}

interface Run {
  readonly lab: Lab;
  readonly programs: Queue;
  readonly workloads: Queue;
  readonly workloadLanes: number;
  readonly evidence: string;
  readonly references: Map<string, Reference>;
  /** Fires at half of the time: from then on only programs are started, which are over in seconds. */
  readonly half: AbortSignal;
  readonly enough: AbortSignal;
  /** A case that was away too little gets a second try. */
  readonly gate: boolean;
  /** performance.now() after which nothing is started. */
  readonly last: number;
  emit(line: Line): void;
}

export async function runChaos(plan: ChaosPlan, evidence: string, emit: (line: Line) => void): Promise<void> {
  const skip = (one: Case, why: string): void => emit(emptyLine({ suite, one, mode: 'chaos' }, null, why));
  const cases = skipUnrunnable(plan.cases, { rootless: false, skip }).filter((one) => {
    const { name, announces = false } = one;
    const reason = plan.gate ? openReason(announces ? 'programs' : 'workloads', name, 'chaos') : undefined;
    if (reason !== undefined) skip(one, `open: ${reason}`);
    return reason === undefined;
  });
  const [programs, workloads] = [true, false].map(
    (small) =>
      new Queue(
        cases.filter(({ announces = false }) => announces === small),
        plan.seed,
      ),
  );
  const outside = Leaks.outside();
  {
    await using lab = await Lab.start(cases);
    for (const each of [suites.programs, suites.workloads]) await each.furnish(lab.home, cases);
    const inside = await Leaks.of(lab);
    const milliseconds = plan.minutes * 60_000;
    const [half, enough] = [AbortSignal.timeout(milliseconds / 2), AbortSignal.timeout(milliseconds)];
    const last = performance.now() + milliseconds - startMarginMs;
    const lanes = workloadLanes(plan.minutes);
    const run: Run = {
      lab,
      programs,
      workloads,
      workloadLanes: lanes,
      evidence,
      references: new Map(),
      half,
      enough,
      gate: plan.gate,
      last,
      emit,
    };
    await Promise.all(Array.from({ length: plan.lanes }, (_, lane) => runLane(run, lane)));
    for (const line of await inside.compare()) emit(line);
  }
  emit(outside.compare());
  const untouched = programs.untouched + workloads.untouched;
  if (untouched > 0) process.stderr.write(`not reached: ${untouched} of ${cases.length} cases\n`);
}

async function runLane(run: Run, lane: number): Promise<void> {
  while (performance.now() < run.last) {
    const workload = lane < run.workloadLanes && !run.half.aborted ? run.workloads.take() : undefined;
    const next = workload ?? run.programs.take();
    if (next === undefined) return; // fewer cases than lanes
    const first = await runOne(run, next);
    const again = run.gate && first?.ok === false && !first.wrong ? await runOne(run, next) : undefined;
    if (first) run.emit(again ? ofTwoTries(first, again) : first);
    next.done();
  }
}

/** @returns undefined if the time was up before it could begin: its input was long in the making */
async function runOne(run: Run, { one: usual, seed }: Taken): Promise<Line | undefined> {
  const { lab, evidence } = run;
  const whole = (usual.slow ? usual.longer : undefined) ?? usual;
  const one = { ...whole, env: { ...whole.env, TOLERANCE_MS: String(toleranceMs) } };
  try {
    await lab.prepare(one);
    const reference = run.references.get(one.name) ?? (await runReference(lab, one));
    run.references.set(one.name, reference);
    if (performance.now() > run.last) return undefined;
    const enough = AbortSignal.any([run.enough, AbortSignal.timeout(movedForMs)]);
    const setting = { suite, lab, random: randomFrom(seed), evidence, enough, movesWanted };
    const line = await runCase(setting, { ...one, shareAway: 0 }, 'chaos', reference);
    return { ...line, cpu: 0, cpuAway: 0 }; // those of all that ran meanwhile
  } catch (error) {
    return emptyLine({ suite, one, mode: 'chaos' }, false, String(error));
  }
}
