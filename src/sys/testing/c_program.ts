/** Compiles and runs a small C program, by which tests ask the machine's own headers. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const deadline = 30_000;

/** For `test(name, { skip })`: false if gcc is there, otherwise why the test cannot run. */
export const withoutGcc: string | false =
  spawnSync('gcc', ['--version'], { timeout: deadline }).status === 0 ? false : 'gcc is not installed';

/** What the program wrote; throws with the compiler's or the program's words if either fails. */
export function runC(
  source: string,
  options: { readonly argv?: readonly string[]; readonly flags?: readonly string[] } = {},
): string {
  const dir = mkdtempSync(join(tmpdir(), 'mosix-c-'));
  try {
    writeFileSync(join(dir, 'program.c'), source);
    run('gcc', ['-O1', '-o', join(dir, 'program'), ...(options.flags ?? []), join(dir, 'program.c')]);
    return run(join(dir, 'program'), options.argv ?? []);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** What gcc says against a source, without building it; empty if nothing. */
export function compileErrors(source: string): string {
  const argv = ['-std=gnu11', '-fsyntax-only', '-x', 'c', '-'];
  return spawnSync('gcc', argv, { encoding: 'utf8', timeout: deadline, input: source }).stderr;
}

/** The macros that are defined after including `headers`, by name. */
export function macrosOf(headers: readonly string[], definitions: readonly string[] = []): ReadonlyMap<string, string> {
  const source = [...definitions.map((each) => `#define ${each}`), ...headers.map((each) => `#include <${each}>`)].join(
    '\n',
  );
  const text = run('gcc', ['-E', '-dM', '-x', 'c', '-'], source);
  const found = text.matchAll(/^#define (\w+) (.+)$/gm);
  return new Map([...found].map(([, name, value]) => [name, value.trim()]));
}

function run(command: string, argv: readonly string[], input = ''): string {
  const done = spawnSync(command, argv, { encoding: 'utf8', timeout: deadline, input, maxBuffer: 64 * 1024 * 1024 });
  if (done.status !== 0) {
    throw new Error(`Cannot run ${command}: ${done.error?.message ?? `${done.signal ?? done.status}\n${done.stderr}`}`);
  }
  return done.stdout;
}
