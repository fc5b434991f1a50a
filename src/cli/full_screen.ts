/**
 * The whole terminal for one program: keys come one by one, and a screen is shown as it is drawn.
 *
 * Promise: the terminal is as it was before, however the program ends, but for SIGKILL; also while it is suspended.
 * A terminal that takes its time (a slow link) is shown the newest screen and none of those between.
 */
import { constants } from 'node:os';

import { paint } from '../mon/paint.ts';
import { parseKeys } from '../mon/keys.ts';
import type { Canvas } from '../mon/canvas.ts';
import { writeOut } from './output.ts';

/** Alternate screen, cursor hidden (xterm-ctlseqs, DECSET 1049 and 25). */
const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[0m\u001b[?25h\u001b[?1049l';
/** Milliseconds after which an escape that stands alone is the key: the rest of a sequence comes at once. */
const ESCAPE_MS = 50;

export interface FullScreenOptions {
  colours: boolean;
  onKey: (key: string) => void;
  onSize: (rows: number, columns: number) => void;
  /** The terminal has gone, or a signal asks to end. @param code For the exit. */
  onEnd: (code: number) => void;
}

export class FullScreen implements Disposable {
  readonly #options: FullScreenOptions;
  readonly #cleanUp: (() => void)[] = [];
  #shown: Canvas | undefined;
  /** What is to be shown when the terminal has taken what was written. */
  #next: Canvas | undefined;
  #busy = false;
  #rest = '';
  #escape: NodeJS.Timeout | undefined;
  #active = false;

  constructor(options: FullScreenOptions) {
    this.#options = options;
    const { stdin, stdout } = process;
    this.#listen(stdout, 'resize', () => {
      this.#shown = undefined;
      options.onSize(...sizeOf());
    });
    this.#listen(stdin.setEncoding('utf8'), 'data', (text: string) => this.#receive(text));
    this.#listen(stdin, 'end', () => options.onEnd(0));
    for (const stream of [stdin, stdout]) this.#listen(stream, 'error', () => options.onEnd(0));
    for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT'] as const)
      this.#listen(process, signal, () => options.onEnd(128 + constants.signals[signal]));
    this.#listen(process, 'SIGCONT', () => this.#enter());
    this.#listen(process, 'exit', () => this.#leave());
    this.#enter();
  }

  show(canvas: Canvas): void {
    this.#next = canvas;
    this.#flush();
  }

  /** Everything anew: another program has written to the terminal. */
  redraw(): void {
    this.#shown = undefined;
  }

  /** As ^Z does; goes on with SIGCONT. */
  suspend(): void {
    this.#leave();
    process.kill(process.pid, 'SIGSTOP');
  }

  [Symbol.dispose](): void {
    this.#leave();
    for (const undo of this.#cleanUp) undo();
    process.stdin.pause();
  }

  #enter(): void {
    this.#active = true;
    process.stdin.setRawMode(true);
    process.stdin.resume();
    process.stdout.write(ENTER);
    this.#shown = undefined;
    this.#options.onSize(...sizeOf());
  }

  #leave(): void {
    if (!this.#active) return;
    this.#active = false;
    try {
      process.stdin.setRawMode(false);
    } catch {
      // The terminal has gone.
    }
    // At once: the process may end right after.
    writeOut(LEAVE);
  }

  #flush(): void {
    const canvas = this.#next;
    if (canvas === undefined || this.#busy || !this.#active) return;
    this.#next = undefined;
    const bytes = paint(canvas, this.#shown, this.#options.colours);
    this.#shown = canvas;
    if (bytes === '') return;
    this.#busy = true;
    process.stdout.write(bytes, () => {
      this.#busy = false;
      this.#flush();
    });
  }

  #receive(text: string): void {
    clearTimeout(this.#escape);
    const { keys, rest } = parseKeys(this.#rest + text);
    this.#rest = rest;
    for (const key of keys) this.#options.onKey(key);
    if (rest === '') return;
    this.#escape = setTimeout(() => {
      this.#rest = '';
      this.#options.onKey('escape');
    }, ESCAPE_MS);
  }

  /** Emitters differ in the types of their events, so they are called as what they have in common. */
  #listen(emitter: NodeJS.EventEmitter, event: string, listener: (...args: never[]) => void): void {
    const wrapped = (...args: unknown[]): void => Reflect.apply(listener, undefined, args);
    emitter.on(event, wrapped);
    this.#cleanUp.push(() => emitter.off(event, wrapped));
  }
}

function sizeOf(): [rows: number, columns: number] {
  const { rows, columns } = process.stdout;
  return [rows || 24, columns || 80];
}
