/** What commands write on a terminal only: one line that is updated while something goes on, and colours. */
import { isatty } from 'node:tty';

import { cut } from '../lib/table.ts';
import { DEFAULT_WIDTH, writeError } from './output.ts';

/** Milliseconds between two updates: as fast as an eye follows. */
const UPDATE_MS = 50;

export type Colour = 'green' | 'yellow' | 'red' | 'dim';
const CODES: Record<Colour, number> = { green: 32, yellow: 33, red: 31, dim: 2 };

/** Columns of standard output; Infinity if that is not a terminal: files and pipes get whole lines. */
export function outputWidth(): number {
  if (!isatty(1)) return Infinity;
  return process.stdout.columns || DEFAULT_WIDTH;
}

/** Colours unless standard output is no terminal or the user does not want them (no-color.org). */
export function colour(text: string, name: Colour): string {
  return isatty(1) && !process.env['NO_COLOR'] ? `\u001b[${CODES[name]}m${text}\u001b[0m` : text;
}

/** One line on standard error that changes in place. Nothing is written where that is no terminal. */
export class ProgressLine implements Disposable {
  readonly #active = isatty(2);
  #last = -Infinity;

  update(text: string): void {
    const now = performance.now();
    if (!this.#active || now - this.#last < UPDATE_MS) return;
    this.#last = now;
    // To the line's start, the text, and whatever was longer before is erased.
    writeError(`\r${cut(text, (process.stderr.columns || DEFAULT_WIDTH) - 1)}\u001b[K`);
  }

  /** Takes the line away. */
  [Symbol.dispose](): void {
    if (this.#active && this.#last > 0) writeError('\r\u001b[K');
  }
}
