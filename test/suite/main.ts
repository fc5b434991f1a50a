/**
 * npm run suite -- {workloads|programs|shell} [--mode M[,M…] | --short] [--only CASE[,CASE…]] [--json] [--seed N] [--gate] [--lanes N] [--rootless]
 * npm run suite -- chaos [--minutes N] [--seed N] [--only CASE[,CASE…]] [--lanes N] [--json] [--gate]
 * npm run suite -- balance [--only CASE[,CASE…]] [--json]
 * npm run suite -- hostile [--only ATTACK[,ATTACK…]] [--seconds N] [--json]
 * npm run suite -- all [--json]
 *
 * Runs real programs, the small self-checking ones of test/programs, or sessions at a terminal, on test-bed hosts: at
 * home, placed on another node, moved while they run. Prints one line per case and mode, and a last line with the sums.
 * Exits 1 if anything failed, 2 for bad usage, 77 when this machine lacks what the test-bed needs. For `chaos` see
 * `chaos.ts`; `all` is every case in every mode.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Bed } from '../bed/bed.ts';
import { runBalance } from './balance.ts';
import { runHostile } from './hostile.ts';
import { type Case, emptyLine, type Line, ofTwoTries, type Summary } from './case.ts';
import { runChaos } from './chaos.ts';
import type { Reference } from './judge.ts';
import { saveExpected } from './evidence.ts';
import { openReason } from './known_open.ts';
import { Lab } from './lab.ts';
import { skipUnrunnable } from './packages.ts';
import { type Plan, readChaosPlan, readPlan, type Task, tasksOf, UsageError } from './plan.ts';
import { printLine, printSummary } from './report.ts';
import { runCase, runReference, type Setting } from './run_case.ts';
import { type Random, randomFrom } from './trip.ts';

/** Runs all cases, `plan.lanes` at a time, each lane on hosts of its own: what a case uses is charged to its own hosts. */
async function runAll(plan: Plan, evidence: string, emit: (line: Line) => void): Promise<void> {
  const skip = (one: Case, why: string): void => {
    for (const mode of plan.modes) emit(emptyLine({ suite: plan.name, one, mode }, null, why));
  };
  const cases = skipUnrunnable(plan.cases, { rootless: plan.rootless, skip });
  const tasks = tasksOf(plan, cases);
  const open = ({ one, mode }: Task): string | undefined =>
    plan.gate ? openReason(plan.name, one.name, mode) : undefined;
  for (const task of tasks) {
    const reason = open(task);
    if (reason !== undefined) emit(emptyLine({ suite: plan.name, ...task }, null, `open: ${reason}`));
  }
  const queue = tasks.filter((task) => open(task) === undefined);
  const run = { plan, cases, evidence, emit, random: randomFrom(plan.seed), references: new Map<string, Reference>() };
  await Promise.all(Array.from({ length: plan.lanes }, () => runLane(run, queue)));
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
  const firstTries = new Map<Task, Line>();
  try {
    for (let task = queue.shift(); task !== undefined; task = queue.shift()) {
      const { one, mode } = task;
      const first = firstTries.get(task);
      const line = await attempt(run.plan, task, async () => {
        lab ??= await furnished(run.plan, run.cases);
        await lab.prepare(one);
        const setting: Setting = { suite: run.plan.name, lab, random: run.random, evidence: run.evidence };
        const known = run.references.get(one.name);
        const reference = known ?? (await runReference(lab, one));
        if (known === undefined) saveExpected(lab, one, run.evidence);
        run.references.set(one.name, reference);
        return runCase(setting, one, mode, reference);
      });
      if (line.ok === false && !line.wrong && run.plan.gate && !first) {
        // At greater length: where CPUs are scarce, the commands that move a program may take as long as it runs.
        const again = { one: one.longer ?? one, mode };
        firstTries.set(again, line);
        queue.unshift(again);
      } else run.emit(first ? ofTwoTries(first, line) : line);
      if (line.ok) continue;
      await lab?.[Symbol.asyncDispose](); // what failed may have broken the nodes
      lab = undefined;
    }
  } finally {
    await lab?.[Symbol.asyncDispose]();
  }
}

async function furnished(plan: Plan, cases: readonly Case[]): Promise<Lab> {
  const lab = await Lab.start(cases, { rootless: plan.rootless });
  try {
    await plan.suite.furnish(lab.home, cases);
    return lab;
  } catch (error) {
    await lab[Symbol.asyncDispose]();
    throw error;
  }
}

/** What goes wrong around a case (a broken input script, a node that does not answer) fails that case only. */
async function attempt(plan: Plan, task: Task, run: () => Promise<Line>): Promise<Line> {
  try {
    return await run();
  } catch (error) {
    return emptyLine({ suite: plan.name, ...task }, false, String(error));
  }
}

interface Output {
  readonly name: string;
  readonly seed: number;
  readonly json: boolean;
}

/** Prints what `work` emits, and the sums. @returns the exit code */
async function report(
  { name, seed, json }: Output,
  work: (evidence: string, emit: (line: Line) => void) => Promise<void>,
): Promise<number> {
  const evidence = mkdtempSync(join(tmpdir(), 'mosix-suite-'));
  const lines: Line[] = [];
  process.stderr.write(`seed ${seed}\n`);
  await work(evidence, (line) => {
    lines.push(line);
    printLine(line, json);
  });
  const count = (ok: boolean | null): number => lines.filter((line) => line.ok === ok).length;
  const summary: Summary = { suite: name, seed, passed: count(true), failed: count(false), skipped: count(null) };
  printSummary(summary, json);
  // Of a first try there may be some, which nobody needs when the second went well.
  if (summary.failed === 0) rmSync(evidence, { recursive: true });
  return summary.failed === 0 ? 0 : 1;
}

/** What `all` is: every case in every mode, one suite after the other. Takes about two hours on two CPUs. */
const everything = [
  ['programs', '--mode', 'home,remote,moved,ping-pong,chaos'],
  ['shell'],
  ['workloads', '--mode', 'remote,moved,ping-pong'],
  ['chaos', '--minutes', '6'],
  ['hostile'],
] as const;

async function runSuites(argv: readonly string[]): Promise<number> {
  if (argv[0] === 'all') {
    const codes: number[] = [];
    for (const each of everything) codes.push(await runSuites([...each, ...argv.slice(1)]));
    return Math.max(...codes);
  }
  if (argv[0] === 'chaos') {
    const plan = await readChaosPlan(argv.slice(1));
    return report({ name: 'chaos', ...plan }, (evidence, emit) => runChaos(plan, evidence, emit));
  }
  if (argv[0] === 'balance') return runBalance(argv.slice(1));
  if (argv[0] === 'hostile') return runHostile(argv.slice(1));
  const plan = await readPlan(argv);
  return report(plan, (evidence, emit) => runAll(plan, evidence, emit));
}

async function main(argv: readonly string[]): Promise<number> {
  const probe = await Bed.probe();
  if (probe.ok) return runSuites(argv);
  process.stderr.write(`Cannot run the suite here: missing ${probe.missing.join(', ')}.\n${probe.help}\n`);
  return 77;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const usage = error instanceof UsageError || (error instanceof TypeError && 'code' in error);
  process.stderr.write(`${error instanceof Error ? (usage ? error.message : error.stack) : String(error)}\n`);
  process.exitCode = usage ? 2 : 1;
}
