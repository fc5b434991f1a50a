/** A program on a pseudo-terminal, as a person has it before them: keys go in, and what stands on the screen can be looked at. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { Screen } from './screen.ts';

const lookMs = 5;
const patienceMs = 20_000;

export interface TerminalOptions {
  /** Default: 24. */
  rows?: number;
  /** Default: 80. */
  columns?: number;
  env?: Record<string, string>;
}

export class Terminal implements AsyncDisposable {
  /** All that the program has written. */
  written = '';
  /** Of the program; 0 until it has begun. */
  pid = 0;
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #screen: Screen;
  readonly #end: Promise<number | null>;
  #ended = false;

  constructor(command: readonly string[], { rows = 24, columns = 80, env = {} }: TerminalOptions = {}) {
    this.#screen = new Screen(rows, columns);
    this.#process = spawn('perl', [join(import.meta.dirname, 'terminal.pl'), ...command], {
      env: { ...process.env, TERM: 'xterm-256color', MOSIX_ROWS: String(rows), MOSIX_COLUMNS: String(columns), ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#process.stdin.on('error', () => {}); // it may end before it has read everything
    let head: string | undefined = '';
    this.#process.stdout.setEncoding('utf8').on('data', (text: string) => {
      let rest = text;
      if (head !== undefined) {
        head += text;
        if (!head.includes('\n')) return; // "pid N"
        this.pid = Number(/^pid (\d+)\n/.exec(head)?.[1]);
        rest = head.slice(head.indexOf('\n') + 1);
        head = undefined;
      }
      this.written += rest;
      this.#screen.write(rest);
    });
    this.#end = new Promise((resolve) => {
      this.#process.on('close', (code) => {
        this.#ended = true;
        resolve(code);
      });
    });
  }

  /** The lines on the screen; the cursor's place, `(row,column)`, in front. */
  get screen(): string {
    return this.#screen.text;
  }

  type(text: string): void {
    this.#process.stdin.write(text);
  }

  resize(rows: number, columns: number): void {
    this.#screen.resize(rows, columns);
    this.#process.stdin.write(`@resize ${rows} ${columns}\n`);
  }

  /** Waits until the screen shows what is expected. @returns the screen */
  async shows(what: RegExp): Promise<string> {
    const giveUp = performance.now() + patienceMs;
    while (!what.test(this.screen)) {
      if (this.#ended || performance.now() > giveUp)
        throw new Error(
          `Cannot see ${what}${this.#ended ? ': the program has ended' : ''}; the screen:\n${this.screen}`,
        );
      await sleep(lookMs);
    }
    return this.screen;
  }

  /** @returns the exit code of the program, which must end by itself */
  async end(): Promise<number | null> {
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), patienceMs);
    const code = await this.#end;
    clearTimeout(timer);
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) this.#process.stdin.write('@hangup\n');
    await this.end();
  }
}
