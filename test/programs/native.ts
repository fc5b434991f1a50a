/**
 * Runs the test programs on this machine, without any migration: the proof that a program's own checks hold
 * natively, also on a loaded machine, and the run that others are compared with.
 * `node test/programs/native.ts [--only NAME,…] [--seconds S] [--repeat N] [--jobs N] [--load N] [--json]`
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { availableParallelism, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildPrograms } from './build.ts';
import { programs, type Ending, type Need, type Program, type Stimulus } from './programs.ts';

export interface Outcome {
  readonly name: string;
  readonly ok: boolean;
  /** What was wrong; empty when ok. */
  readonly why: string;
  readonly stdout: string;
  readonly seconds: number;
}

/** The needs that this machine does not meet, of all that exist. */
export async function missingNeeds(): Promise<Set<Need>> {
  const flags = new Set((await readFile('/proc/cpuinfo', 'utf8')).match(/^flags.*$/m)?.[0].split(/\s+/) ?? []);
  const has: Record<Need, boolean> = {
    avx2: flags.has('avx2'),
    avx512f: flags.has('avx512f'),
    pku: flags.has('ospke'),
    root: process.getuid?.() === 0,
    'root-engine': process.getuid?.() === 0,
    io_uring: await ringsCanMove(),
  };
  return new Set((Object.keys(has) as Need[]).filter((need) => !has[need]));
}

/** io_uring for everybody, with rings that are ordinary memory (Linux 6.10; before, programs that map them stay home). */
async function ringsCanMove(): Promise<boolean> {
  const disabled = await readFile('/proc/sys/kernel/io_uring_disabled', 'utf8').catch(() => '0');
  const [major, minor] = release().split('.').map(Number);
  return Number(disabled) === 0 && (major > 6 || (major === 6 && minor >= 10));
}

/** The command line that starts a case: limits are raised by a shell that becomes the program. */
export function commandLine(program: Program, binary: string, seconds: number): string[] {
  const argv = [binary, String(seconds), ...program.args];
  if (program.limits.stack === undefined) return argv;
  return ['/bin/sh', '-c', `ulimit -s ${program.limits.stack / 1024} && exec "$@"`, 'sh', ...argv];
}

/** The sentence about an ending that is not the expected one; empty when it is. */
export function endingProblem(expected: Ending, code: number | null, signal: string | null): string {
  const wanted = 'exit' in expected ? `exit ${expected.exit}` : expected.signal;
  const got = signal ?? `exit ${code}`;
  return wanted === got ? '' : `ended with ${got} instead of ${wanted}`;
}

function stimulate(child: ChildProcess, stimulus: Stimulus): void {
  if (child.exitCode !== null || child.signalCode !== null) return;
  if ('signal' in stimulus) child.kill(stimulus.signal);
  else if ('input' in stimulus) child.stdin?.write(stimulus.input);
  else child.stdin?.end();
}

export async function runNative(program: Program, binary: string, seconds = program.seconds): Promise<Outcome> {
  const began = performance.now();
  const directory = await mkdtemp(join(tmpdir(), 'program-'));
  const argv = commandLine(program, binary, seconds);
  const fed = program.stimuli.some((each) => !('signal' in each));
  const child = spawn(argv[0] ?? binary, argv.slice(1), {
    cwd: directory,
    env: { ...process.env, ...program.env },
    stdio: [fed ? 'pipe' : 'ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  const timers: NodeJS.Timeout[] = [];
  child.stdin?.on('error', () => {}); // a program that ended does not read what is still to be fed
  child.stdout!.on('data', (chunk: Buffer) => {
    const before = stdout;
    stdout += chunk.toString();
    if (before.includes('ready\n') || !stdout.includes('ready\n')) return;
    for (const each of program.stimuli) timers.push(setTimeout(() => stimulate(child, each), each.at * seconds * 1000));
  });
  child.stderr!.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const deadline = setTimeout(() => child.kill('SIGKILL'), (seconds * 4 + 30) * 1000);
  const [code, signal] = await new Promise<[number | null, string | null]>((done, failed) => {
    child.on('error', failed);
    child.on('close', (...ending) => done(ending));
  });
  for (const timer of [deadline, ...timers]) clearTimeout(timer);
  await rm(directory, { recursive: true, force: true });
  const complaint = stderr.replaceAll(/^migrate: \d+\n/gm, '').trim();
  const unready = stdout.startsWith('ready\n') ? '' : 'did not print "ready" first';
  const why = [endingProblem(program.ends, code, signal), unready, complaint].filter(Boolean).join('; ');
  return { name: program.name, ok: why === '', why, stdout, seconds: (performance.now() - began) / 1000 };
}

interface Options {
  readonly cases: readonly Program[];
  readonly seconds: number | undefined;
  readonly repeat: number;
  readonly jobs: number;
  readonly json: boolean;
}

/** A line of the report, in the form that all suites speak. */
interface Line {
  readonly case: string;
  readonly ok?: boolean;
  readonly skipped?: boolean;
  readonly why: string;
  readonly seconds?: number;
}

function print(line: Line, json: boolean): void {
  if (json) console.log(JSON.stringify({ suite: 'programs', mode: 'home', ...line }));
  else
    console.log(
      `${line.skipped === true ? 'skipped' : line.ok === true ? 'ok     ' : 'FAILED '} ${line.case} ${line.why}`,
    );
}

/** Runs the cases, some at a time; true when none failed. A case must also print the same every time. */
async function runAll(options: Options, directory: string): Promise<boolean> {
  const tally = { passed: 0, failed: 0, skipped: 0 };
  const missing = await missingNeeds();
  const binaries = await buildPrograms(directory, options.cases);
  const outputs = new Map<string, string>();
  const judge = async (program: Program): Promise<Line> => {
    const need = program.needs.find((one) => missing.has(one));
    if (need !== undefined) return { case: program.name, skipped: true, why: `needs ${need}` };
    const { ok, why, stdout, seconds } = await runNative(program, binaries.get(program.name) ?? '', options.seconds);
    const first = outputs.get(program.name) ?? stdout;
    if (ok) outputs.set(program.name, first);
    if (ok && first !== stdout)
      return { case: program.name, ok: false, why: 'printed something else than in its first run', seconds };
    return { case: program.name, ok, why, seconds };
  };
  const queue = Array.from({ length: options.repeat }, () => options.cases).flat();
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const line = await judge(next);
      tally[line.skipped === true ? 'skipped' : line.ok === true ? 'passed' : 'failed']++;
      print(line, options.json);
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, worker));
  if (options.json) console.log(JSON.stringify({ suite: 'programs', ...tally }));
  else console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`);
  return tally.failed === 0;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      seconds: { type: 'string' },
      repeat: { type: 'string', default: '1' },
      jobs: { type: 'string', default: String(availableParallelism()) },
      load: { type: 'string', default: '0' },
      json: { type: 'boolean', default: false },
    },
  });
  const only = values.only?.split(',');
  const cases = programs.filter((each) => only === undefined || only.includes(each.name));
  const directory = await mkdtemp(join(tmpdir(), 'programs-'));
  const hogs = Array.from({ length: Number(values.load) }, () =>
    spawn('/bin/sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' }),
  );
  try {
    const seconds = values.seconds === undefined ? undefined : Number(values.seconds);
    const options = { cases, seconds, repeat: Number(values.repeat), jobs: Number(values.jobs), json: values.json };
    if (!(await runAll(options, directory))) process.exitCode = 1;
  } finally {
    for (const hog of hogs) hog.kill('SIGKILL');
    await rm(directory, { recursive: true, force: true });
  }
}

if (import.meta.main) await main();
