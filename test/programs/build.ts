/**
 * Builds the test programs with gcc: `node test/programs/build.ts DIR [NAME…]`, or `buildPrograms` from a runner.
 * A source is compiled once for each distinct set of flags; cases that differ in arguments only share a binary.
 */
import { spawn } from 'node:child_process';
import { access, mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { programs, type Program } from './programs.ts';

const COMMON_FLAGS = ['-O1', '-g', '-Wall', '-Wextra', '-Werror', '-std=gnu11', '-pthread'];

export class BuildError extends Error {
  constructor(source: string, reason: string) {
    super(`Cannot build ${source}: ${reason}`);
    this.name = 'BuildError';
  }
}

/** The file name of a case's binary: its source's, and its flags where it has some. */
export function binaryName(program: Program): string {
  const flags = program.flags.map((flag) => flag.replaceAll(/[^A-Za-z0-9]/g, ''));
  return [program.source.replace(/\.c$/, ''), ...flags].join('-');
}

/** Compiles the sources of these cases, several at a time, and returns the path of each case's binary. */
export async function buildPrograms(
  directory: string,
  cases: readonly Program[] = programs,
): Promise<Map<string, string>> {
  await mkdir(directory, { recursive: true });
  const paths = new Map<string, string>();
  const jobs = new Map<string, Program>();
  for (const each of cases) {
    const path = join(resolve(directory), binaryName(each));
    paths.set(each.name, path);
    jobs.set(path, each);
  }
  const queue = [...jobs];
  const worker = async (): Promise<void> => {
    for (let job = queue.pop(); job !== undefined; job = queue.pop()) await compile(job[1], job[0]);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return paths;
}

async function compile(program: Program, output: string): Promise<void> {
  const source = join(import.meta.dirname, program.source);
  await access(source);
  const argv = [...COMMON_FLAGS, source, '-o', output, ...program.flags, '-lm'];
  const child = spawn('gcc', argv, { stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const code = await new Promise<number | null>((done, failed) => {
    child.on('error', failed);
    child.on('close', done);
  }).catch((cause: unknown) => {
    throw new BuildError(
      program.source,
      `gcc did not start (${String(cause)}); install it with: apt-get install gcc libc6-dev`,
    );
  });
  if (code !== 0) throw new BuildError(program.source, errors.trim());
}

if (import.meta.main) {
  const [directory, ...names] = process.argv.slice(2);
  if (directory === undefined) {
    console.error('usage: node test/programs/build.ts DIR [NAME…]');
    process.exit(2);
  }
  const chosen = names.length === 0 ? programs : programs.filter((each) => names.includes(each.name));
  const built = await buildPrograms(directory, chosen);
  console.log(`${built.size} cases built in ${directory}`);
}
