/**
 * npm run suite -- {workloads|programs} [--mode M[,M…]] [--only CASE[,CASE…]] [--json] [--seed N] [--gate] [--lanes N]
 *
 * Runs real programs, or the small self-checking ones of test/programs, on test-bed hosts: at home, placed on another
 * node, moved while they run. Prints one line per case and mode, and a last line with the sums. Exits 1 if anything
 * failed, 2 for bad usage, 77 when this machine lacks what the test-bed needs.
 */
import { openReason } from './known_open.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Bed } from '../bed/bed.ts';
import type { Host } from '../bed/host.ts';
import { type Case, type Line, type Mode, modes, type Summary } from './case.ts';
import type { Reference } from './judge.ts';
import { Lab } from './lab.ts';
import { installPackages } from './packages.ts';
import { buildFor, programCases } from './programs.ts';
import { printLine, printSummary } from './report.ts';
import { runCase, runReference, type Setting } from './run_case.ts';
import { type Random, randomFrom } from './trip.ts';
import { workloads } from './workloads.ts';

class UsageError extends Error {}

interface Suite {
  cases(): Promise<readonly Case[]>;
  /** What must be at home before any case. */
  furnish(home: Host, cases: readonly Case[]): Promise<void>;
  readonly modes: readonly Mode[];
  /** Cases at a time, unless asked otherwise. Workloads are to have the machine for themselves. */
  readonly lanes: number;
}

const suites: Readonly<Record<string, Suite>> = {
  workloads: { cases: async () => workloads, furnish: async () => {}, modes: ['remote', 'moved'], lanes: 1 },
  programs: { cases: programCases, furnish: buildFor, modes: ['home', 'remote', 'moved'], lanes: 2 },
};

interface Plan {
  readonly name: string;
  readonly suite: Suite;
  readonly cases: readonly Case[];
  readonly modes: readonly Mode[];
  readonly json: boolean;
  /** For CI: what is known to be open is named and left out, and a case that fails gets a second try, which is said. */
  readonly gate: boolean;
  readonly seed: number;
  /** Cases at a time. */
  readonly lanes: number;
}

async function readPlan(argv: readonly string[]): Promise<Plan> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      mode: { type: 'string' },
      only: { type: 'string' },
      json: { type: 'boolean', default: false },
      seed: { type: 'string' },
      lanes: { type: 'string' },
      gate: { type: 'boolean', default: false },
    },
  });
  const suite = suites[positionals[0] ?? ''];
  if (suite === undefined || positionals.length !== 1)
    throw new UsageError(`name one suite: ${Object.keys(suites).join(', ')}`);
  const all = await suite.cases();
  const wanted = values.only?.split(',');
  const unknown = wanted?.find((name) => !all.some((one) => one.name === name));
  if (unknown !== undefined)
    throw new UsageError(`no case ${unknown}; there are ${all.map((one) => one.name).join(', ')}`);
  return {
    name: positionals[0],
    suite,
    cases: wanted === undefined ? all : all.filter((one) => wanted.includes(one.name)),
    modes: values.mode === undefined ? suite.modes : values.mode.split(',').map(modeOf),
    json: values.json,
    gate: values.gate,
    seed: values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed),
    lanes: values.lanes === undefined ? suite.lanes : Number(values.lanes),
  };
}

function modeOf(word: string): Mode {
  const mode = modes.find((one) => one === word);
  if (mode === undefined) throw new UsageError(`no mode ${word}; there are ${modes.join(', ')}`);
  return mode;
}

/** Says of each case that cannot run here what it lacks; returns the others. */
function skipUnrunnable(plan: Plan, emit: (line: Line) => void): Case[] {
  const absent = new Set(installPackages(plan.cases.flatMap((one) => one.packages)));
  const lackOf = (one: Case): string => {
    const packages = one.packages.filter((name) => absent.has(name));
    return one.lacks ?? (packages.length === 0 ? '' : `needs the package ${packages.join(', ')}`);
  };
  for (const one of plan.cases.filter((each) => lackOf(each) !== '')) {
    for (const mode of plan.modes) emit(emptyLine(plan, one, mode, null, lackOf(one)));
  }
  return plan.cases.filter((one) => lackOf(one) === '');
}

interface Task {
  readonly one: Case;
  readonly mode: Mode;
}

/** Runs all cases, `plan.lanes` at a time, each lane on hosts of its own: what a case uses is charged to its own hosts. */
async function runAll(plan: Plan, evidence: string, emit: (line: Line) => void): Promise<void> {
  const cases = skipUnrunnable(plan, emit);
  const tasks = cases.flatMap((one) =>
    plan.modes
      .filter((mode) => one.modes?.includes(mode) ?? true)
      .map((mode): Task => ({ one: movesOften(mode) ? (one.longer ?? one) : one, mode })),
  );
  const open = ({ one, mode }: Task): string | undefined =>
    plan.gate ? openReason(plan.name, one.name, mode) : undefined;
  for (const task of tasks) {
    const reason = open(task);
    if (reason !== undefined) emit(emptyLine(plan, task.one, task.mode, null, `open: ${reason}`));
  }
  const queue = tasks.filter((task) => open(task) === undefined);
  const run = { plan, cases, evidence, emit, random: randomFrom(plan.seed), references: new Map<string, Reference>() };
  await Promise.all(Array.from({ length: plan.lanes }, () => runLane(run, queue)));
}

function movesOften(mode: Mode): boolean {
  return mode === 'ping-pong' || mode === 'chaos';
}

/** Cases of the same name and length have the same output. */
function referenceOf({ one }: Task): string {
  return `${one.name} ${one.longer ? '' : 'longer'}`;
}

interface Run {
  readonly plan: Plan;
  readonly cases: readonly Case[];
  readonly evidence: string;
  readonly random: Random;
  readonly references: Map<string, Reference>;
  emit(line: Line): void;
}

/** Takes tasks from the queue until it is empty. */
async function runLane(run: Run, queue: Task[]): Promise<void> {
  let lab: Lab | undefined;
  const secondTries = new Map<Task, string>();
  try {
    for (let task = queue.shift(); task !== undefined; task = queue.shift()) {
      const { one, mode } = task;
      const second = secondTries.has(task);
      const line = await attempt(run.plan, task, async () => {
        lab ??= await furnished(run.plan, run.cases);
        await lab.prepare(one);
        const setting: Setting = { suite: run.plan.name, lab, random: run.random, evidence: run.evidence };
        const reference = run.references.get(referenceOf(task)) ?? (await runReference(lab, one));
        run.references.set(referenceOf(task), reference);
        return runCase(setting, one, mode, reference);
      });
      if (line.ok === false && run.plan.gate && !second) {
        // At greater length: where CPUs are scarce, the commands that move a program may take as long as it runs.
        const again = { one: one.longer ?? one, mode };
        secondTries.set(again, line.why);
        queue.unshift(again);
      } else
        run.emit(
          second && line.ok
            ? { ...line, why: `at the second try; the first: ${secondTries.get(task)?.replace(/; see \S+$/, '')}` }
            : line,
        );
      if (line.ok) continue;
      await lab?.[Symbol.asyncDispose](); // what failed may have broken the nodes
      lab = undefined;
    }
  } finally {
    await lab?.[Symbol.asyncDispose]();
  }
}

async function furnished(plan: Plan, cases: readonly Case[]): Promise<Lab> {
  const lab = await Lab.start(cases);
  try {
    await plan.suite.furnish(lab.home, cases);
    return lab;
  } catch (error) {
    await lab[Symbol.asyncDispose]();
    throw error;
  }
}

/** What goes wrong around a case (a broken input script, a node that does not answer) fails that case only. */
async function attempt(plan: Plan, { one, mode }: Task, run: () => Promise<Line>): Promise<Line> {
  try {
    return await run();
  } catch (error) {
    return emptyLine(plan, one, mode, false, String(error));
  }
}

function emptyLine(plan: Plan, one: Case, mode: Mode, ok: false | null, why: string): Line {
  const nothing = { moves: 0, comeHome: 0, reasons: {}, forwarded: 0, cpu: 0, cpuAway: 0, seconds: 0, secondsHome: 0 };
  return { suite: plan.name, case: one.name, mode, ok, ...nothing, why };
}

async function main(): Promise<number> {
  const plan = await readPlan(process.argv.slice(2));
  const probe = await Bed.probe();
  if (!probe.ok) {
    process.stderr.write(`Cannot run the suite here: missing ${probe.missing.join(', ')}.\n${probe.help}\n`);
    return 77;
  }
  const evidence = mkdtempSync(join(tmpdir(), 'mosix-suite-'));
  const lines: Line[] = [];
  process.stderr.write(`seed ${plan.seed}\n`);
  await runAll(plan, evidence, (line) => {
    lines.push(line);
    printLine(line, plan.json);
  });
  const count = (ok: boolean | null): number => lines.filter((line) => line.ok === ok).length;
  const summary: Summary = { suite: plan.name, passed: count(true), failed: count(false), skipped: count(null) };
  printSummary(summary, plan.json);
  // Of a first try there may be some, which nobody needs when the second went well.
  if (summary.failed === 0) rmSync(evidence, { recursive: true });
  return summary.failed === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  const usage = error instanceof UsageError || (error instanceof TypeError && 'code' in error);
  process.stderr.write(`${error instanceof Error ? (usage ? error.message : error.stack) : String(error)}\n`);
  process.exitCode = usage ? 2 : 1;
}
