/**
 * `npm test`: everything that can be known about this checkout within six minutes on two cores.
 *
 * From quick to slow: build, types, lint, style rules, format, unit tests, then real programs that move between the hosts of
 * the test-bed. Every step has a deadline, all of them together have one, and nothing is left out in silence: what was
 * skipped is named with its reason at the end. Exit code 1 if anything failed, 130 if interrupted.
 */
import { existsSync, globSync } from 'node:fs';
import path from 'node:path';
import { runStep, type Step, type StepResult } from './step.ts';

const root = path.dirname(import.meta.dirname);
const node = process.execPath;
/** Milliseconds for the whole run. */
const wholeDeadline = 355_000;

/** A step, and what of it has to exist. While the project is young, a missing part is a named skip. */
interface PlannedStep extends Step {
  readonly needs?: string;
}

/** Test programs of each kind, few enough for the time we have; `npm run suite -- programs` runs all of them. */
const sample: readonly string[] = ['stack-growth', 'brk', 'jit', 'file-map-private', 'mremap', 'memory-flags-smaps'];

function tool(name: string): string {
  return path.join('node_modules', '.bin', name);
}

const steps: readonly PlannedStep[] = [
  { name: 'packages', argv: [node, 'tools/packages.ts'], deadline: 120_000, live: true },
  { name: 'build', argv: [node, 'tools/build.ts'], deadline: 60_000, live: false },
  { name: 'typecheck', argv: [tool('tsc'), '--noEmit'], deadline: 90_000, live: false },
  {
    name: 'lint',
    argv: [tool('oxlint'), '--type-aware', '--deny-warnings', '--format', 'unix', 'src', 'test', 'tools'],
    deadline: 60_000,
    live: false,
  },
  { name: 'tidy', argv: [node, 'tools/tidy.ts'], deadline: 30_000, live: false },
  { name: 'format', argv: [tool('oxfmt'), '--check', 'src', 'test', 'tools'], deadline: 30_000, live: false },
  {
    name: 'unit',
    argv: [node, 'tools/unit.ts', 'src/', 'tools/', 'test/bench/', 'test/demo/', 'test/programs/', 'test/suite/'],
    deadline: 150_000,
    live: true,
  },
  {
    name: 'test-bed',
    // One after the other: they look at what is left on the machine.
    argv: [node, 'tools/unit.ts', '--serial', 'test/bed/'],
    deadline: 150_000,
    live: true,
    needs: 'test/bed/**/*.test.ts',
  },
  {
    name: 'system',
    argv: [node, 'tools/unit.ts', 'test/system/'],
    deadline: 210_000,
    live: true,
    needs: 'test/system/**/*.test.ts',
  },
  {
    name: 'programs, moved away and home',
    argv: [node, 'test/suite/main.ts', 'programs', '--mode', 'moved', '--only', sample.join(',')],
    deadline: 150_000,
    live: true,
    needs: 'test/suite/main.ts',
  },
];

async function main(): Promise<void> {
  const begin = performance.now();
  const interrupted = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(name, () => interrupted.abort());
  }
  const results: (readonly [Step, StepResult])[] = [];
  for (const [index, step] of steps.entries()) {
    if (interrupted.signal.aborted) {
      break;
    }
    const left = wholeDeadline - (performance.now() - begin);
    console.log(`[${index + 1}/${steps.length}] ${step.name}`);
    const result = await runPlanned(step, left, interrupted.signal);
    console.log(`[${index + 1}/${steps.length}] ${step.name}: ${describe(result)}`);
    results.push([step, result]);
  }
  summarise(results, (performance.now() - begin) / 1000);
  if (interrupted.signal.aborted) {
    process.exitCode = 130;
  }
}

async function runPlanned(step: PlannedStep, left: number, signal: AbortSignal): Promise<StepResult> {
  const nothing = { seconds: 0, skips: [] };
  if (step.needs !== undefined && !exists(step.needs)) {
    return { outcome: 'skipped', why: `${step.needs} does not exist`, ...nothing };
  }
  if (left <= 0) {
    return {
      outcome: 'failed',
      why: `not begun: the ${wholeDeadline / 1000} s for the whole run are over`,
      ...nothing,
    };
  }
  return runStep({ ...step, deadline: Math.min(step.deadline, left) }, { cwd: root, print: console.log, signal });
}

function exists(pattern: string): boolean {
  return existsSync(path.join(root, pattern)) || globSync(pattern, { cwd: root }).length > 0;
}

function describe(result: StepResult): string {
  const time = `(${result.seconds.toFixed(1)} s)`;
  switch (result.outcome) {
    case 'passed':
      return `ok ${time}`;
    case 'failed':
      return `FAILED: ${result.why} ${time}`;
    case 'skipped':
      return `skipped: ${result.why}`;
  }
}

function summarise(results: readonly (readonly [Step, StepResult])[], seconds: number): void {
  const count = (outcome: StepResult['outcome']): number =>
    results.filter(([, each]) => each.outcome === outcome).length;
  console.log('');
  for (const [step, result] of results) {
    console.log(`  ${step.name}: ${describe(result)}`);
    for (const each of result.skips) {
      console.log(`    skipped: ${each}`);
    }
  }
  const sums = `${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped`;
  console.log(`\n${sums} (steps; ${seconds.toFixed(0)} s)`);
  process.exitCode = count('failed') === 0 && results.length === steps.length ? 0 : 1;
}

await main();
