/** A program running in a test-bed host. Its output goes to files, so that a server it leaves behind blocks nobody. */
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import type { Writable } from 'node:stream';
import { BedError } from './errors.ts';
import { launch, SYSTEM_PATH } from './launch.ts';
import { untilBlocking, within } from './wait.ts';

export interface SpawnOptions {
  /** default / */
  cwd?: string;
  /** added to PATH, HOME and LANG; nothing of the machine's environment is handed on */
  env?: Record<string, string>;
  /** all of its standard input; default empty */
  input?: string | Uint8Array;
  /** instead of `input`: standard input is a pipe, HostProcess.stdin */
  interactive?: boolean;
  /** user and group to run as; default 0 */
  uid?: number;
}

export interface ExitStatus {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** What a host process needs to know about its host. */
export interface Surroundings {
  hostName: string;
  init: number;
  cgroups: readonly string[];
  /** path without ending for the files of this process */
  files: string;
}

const GUARDIAN = readFileSync(new URL('guardian.pl', import.meta.url), 'utf8');
const SETSID_CALL = process.arch === 'arm64' ? 157 : 112;
const START_TIMEOUT_MS = 20_000;

export class HostProcess {
  readonly argv: readonly string[];
  /** files on this machine; they vanish with the bed */
  readonly stdout: string;
  readonly stderr: string;
  /** only with `interactive` */
  readonly stdin: Writable | null;
  readonly #status: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<ExitStatus>;
  readonly #what: string;
  #pids: { outside: number; inside: number } | undefined;

  constructor(argv: readonly string[], options: SpawnOptions, surroundings: Surroundings) {
    const { files } = surroundings;
    this.argv = argv;
    this.stdout = `${files}.stdout`;
    this.stderr = `${files}.stderr`;
    this.#status = `${files}.status`;
    this.#what = `run ${argv.join(' ').slice(0, 120)} on ${surroundings.hostName}`;
    this.#child = this.#start(options, surroundings);
    if (this.#child.pid === undefined) throw new BedError(this.#what, 'no process could be started');
    this.stdin = this.#child.stdin;
    this.#ended = new Promise((resolve) => {
      this.#child.on('exit', (code, signal) => resolve(this.#statusAfter(code, signal)));
    });
  }

  #start(options: SpawnOptions, { init, cgroups, files }: Surroundings): ChildProcess {
    const uid = options.uid ?? 0;
    const enter = ['nsenter', '--target', String(init), '--all', '--no-fork', '--'];
    const guard = ['perl', '-e', GUARDIAN, String(SETSID_CALL), String(uid), options.cwd ?? '/', ...this.argv];
    const env = {
      PATH: SYSTEM_PATH,
      HOME: uid === 0 ? '/root' : '/tmp',
      LANG: 'C.UTF-8',
      ...options.env,
      PERL_BADLANG: '0',
    };
    const opened: number[] = [];
    const open = (path: string, flags: string): number => {
      const fd = openSync(path, flags);
      opened.push(fd);
      return fd;
    };
    try {
      const stdin = openInput(options, files, open);
      const stdio = [stdin, open(this.stdout, 'w'), open(this.stderr, 'w'), open(this.#status, 'w')];
      return launch([...enter, ...guard], { cgroups, stdio, env });
    } finally {
      for (const fd of opened) closeSync(fd);
    }
  }

  /** as seen on this machine; valid from the moment the program runs (waits for it) */
  get outsidePid(): number {
    return this.#readPids().outside;
  }

  /** as seen inside the host */
  get pid(): number {
    return this.#readPids().inside;
  }

  #readPids(): { outside: number; inside: number } {
    this.#pids ??= untilBlocking(() => this.#lookForPids(), { what: this.#what, timeoutMs: START_TIMEOUT_MS });
    return this.#pids;
  }

  #lookForPids(): { outside: number; inside: number } | undefined {
    const started = /^pid (\d+)$/m.exec(readFileSync(this.#status, 'utf8'));
    if (started !== null) {
      const outside = Number(started[1]);
      return { outside, inside: pidsOf(outside).at(-1) ?? -1 }; // -1: it has ended already
    }
    const state = stateOf(this.#child.pid ?? 0);
    if (state === undefined || state === 'Z') throw new BedError(this.#what, `it did not start: ${this.readStderr()}`);
    return undefined;
  }

  /** The guardian's own end tells nothing (it may have been killed with the host); its report does. */
  #statusAfter(code: number | null, signal: NodeJS.Signals | null): ExitStatus {
    const report = readIfThere(this.#status).match(/^exit (\d+)$/m);
    if (report === null) return { code: code === 0 ? 1 : code, signal: code === null ? (signal ?? 'SIGKILL') : null };
    const status = Number(report[1]);
    const number = status & 0x7f;
    return number === 0 ? { code: status >> 8, signal: null } : { code: null, signal: signalName(number) };
  }

  /** How the program ended. It goes on running when the wait ends in a BedTimeoutError. */
  async wait(timeoutMs = 60_000): Promise<ExitStatus> {
    this.#child.ref();
    try {
      return await within(this.#ended, this.#what, timeoutMs, () => `; ${tail(this.readStderr())}`);
    } finally {
      this.#child.unref();
    }
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Does nothing when the program has ended already. */
  /** @param signal a number for real-time signals, which have no names */
  kill(signal: NodeJS.Signals | number = 'SIGTERM'): void {
    const pid = this.outsidePid;
    if (!this.running || /^exit /m.test(readIfThere(this.#status))) return;
    signalIfThere(pid, signal);
  }

  /** Reaches its children as well, unless they left its process group; even after its own end. */
  killGroup(signal: NodeJS.Signals = 'SIGTERM'): void {
    signalIfThere(-this.outsidePid, signal);
  }

  readStdout(): string {
    return readIfThere(this.stdout);
  }

  readStderr(): string {
    return readIfThere(this.stderr);
  }
}

function openInput(
  options: SpawnOptions,
  files: string,
  open: (path: string, flags: string) => number,
): number | 'pipe' {
  if (options.interactive === true) return 'pipe';
  if (options.input === undefined) return open('/dev/null', 'r');
  writeFileSync(`${files}.stdin`, options.input);
  return open(`${files}.stdin`, 'r');
}

/** A process's pids, from this machine's to the one in its innermost pid namespace; empty when it is gone. */
export function pidsOf(outside: number): number[] {
  const line = /^NSpid:\s+(.+)$/m.exec(readIfThere(`/proc/${outside}/status`));
  return line === null ? [] : line[1].split(/\s+/).map(Number);
}

function signalIfThere(pid: number, signal: NodeJS.Signals | number): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function stateOf(pid: number): string | undefined {
  return /^State:\s+(\S)/m.exec(readIfThere(`/proc/${pid}/status`))?.[1];
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function signalName(number: number): NodeJS.Signals {
  const names = Object.keys(constants.signals) as NodeJS.Signals[];
  return names.find((name) => constants.signals[name] === number) ?? 'SIGKILL';
}

function tail(text: string): string {
  return text.slice(-2000);
}
