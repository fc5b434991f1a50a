/** A case's program while it runs on the home host: its files, its announcements, its stimuli and its end. */
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { BedTimeoutError } from '../bed/errors.ts';
import type { HostProcess } from '../bed/host_process.ts';
import type { Case, Stimulus } from './case.ts';
import { type Lab, userId } from './lab.ts';

export interface Ended {
  /** `exit 0`, `signal SIGSEGV`, or `hang`. */
  readonly status: string;
  readonly seconds: number;
}

const readyTimeoutMs = 60_000;
const pollMs = 20;

export class Running {
  readonly pid: number;
  /** Fires when the program has ended. */
  readonly ended: AbortSignal;
  readonly #ended = new AbortController();
  readonly #process: HostProcess;
  readonly #one: Case;
  readonly #directory: string;
  readonly #begin = performance.now();

  /** Starts it by `launcher`, if that is not empty. */
  constructor(lab: Lab, one: Case, launcher: readonly string[]) {
    const cwd = lab.directoryOf(one.name);
    const env = { PATH: '/usr/bin:/bin:/usr/games', LC_ALL: 'C', HOME: cwd, TMPDIR: cwd, ...one.env };
    const input = one.stdin === 'pipe' ? '' : `< ${one.stdin?.file ?? '/dev/null'}`;
    const command = one.command.toSpliced(one.launcherAt ?? 0, 0, ...launcher);
    const argv = ['sh', '-c', `exec "$@" ${input} > stdout 2> stderr`, 'sh', ...command];
    const options = { cwd, env, uid: one.asRoot ? 0 : userId, interactive: one.stdin === 'pipe' };
    this.#process = lab.home.spawn(argv, options);
    this.#process.stdin?.on('error', () => {}); // it may end before it has read everything
    this.#one = one;
    this.#directory = lab.home.outsidePath(cwd);
    this.ended = this.#ended.signal;
    this.pid = this.#process.pid;
  }

  /** Waits for the line `ready`, if the case announces it. */
  async becomeReady(): Promise<void> {
    if (!this.#one.announces) return;
    const giveUp = performance.now() + readyTimeoutMs;
    while (!this.ended.aborted && performance.now() < giveUp && !/^ready$/m.test(this.#text('stdout')))
      await sleep(pollMs);
  }

  /** Itself, or the process that it named. */
  pidToMove(): number {
    const named = /^migrate: (\d+)$/m.exec(this.#text('stderr'));
    return named === null ? this.pid : Number(named[1]);
  }

  /** Does what the case says, counted from now. */
  async stimulate(): Promise<void> {
    const begin = performance.now();
    const inOrder = (this.#one.stimuli ?? []).toSorted((a, b) => a.at - b.at);
    for (const stimulus of inOrder) {
      const wait = Math.max(0, begin + stimulus.at * 1000 - performance.now());
      await sleep(wait, undefined, { signal: this.ended }).catch(() => {});
      if (this.ended.aborted) return;
      this.#apply(stimulus);
    }
  }

  /** Waits for its end; when that takes longer than `patience` seconds, calls `onHang` and kills it. */
  async end(patience: number, onHang?: () => Promise<unknown>): Promise<Ended> {
    try {
      const { code, signal } = await this.#process.wait(patience * 1000);
      return { status: signal === null ? `exit ${code}` : `signal ${signal}`, seconds: this.#seconds() };
    } catch (error) {
      if (!(error instanceof BedTimeoutError)) throw error;
      const seconds = this.#seconds();
      await onHang?.();
      this.#process.kill('SIGKILL');
      return { status: 'hang', seconds };
    } finally {
      this.#ended.abort();
    }
  }

  /** What a program that checks itself said on stderr; nothing for others, whose stderr is their own affair. */
  complaint(): string {
    if (!this.#one.announces) return '';
    return this.#text('stderr')
      .replaceAll(/^migrate: \d+\n/gm, '')
      .trim();
  }

  #apply(stimulus: Stimulus): void {
    if ('signal' in stimulus) this.#process.kill(stimulus.signal);
    else if ('input' in stimulus) this.#process.stdin?.write(stimulus.input);
    else this.#process.stdin?.end();
  }

  #seconds(): number {
    return (performance.now() - this.#begin) / 1000;
  }

  #text(name: string): string {
    const path = `${this.#directory}/${name}`;
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }
}

/** Removes what an earlier run left, so that no old output can pass for a new one; all of it where there is no input. */
export async function clear(lab: Lab, one: Case): Promise<void> {
  const left = ['stdout', 'stderr', one.verify.file];
  const argv = one.prepare === undefined ? ['find', '.', '-mindepth', '1', '-delete'] : ['rm', '-f', ...left];
  await lab.home.run(argv, { cwd: lab.directoryOf(one.name) });
}

/** Digest of the output that must be identical; a sentence where there is none. */
export async function digestOf(lab: Lab, one: Case): Promise<string> {
  const { file, filter } = one.verify;
  const script = `set -e; { ${filter ?? 'cat'}
} < ${file} | sha256sum`;
  const run = await lab.home.run(['sh', '-c', script], { cwd: lab.directoryOf(one.name), timeoutMs: 60_000 });
  return run.code === 0 ? run.stdout.toString().trim() : `no output: ${run.stderr.toString().trim()}`;
}
