/** Text for standard output and standard error, as a whole. Loads nothing: mosrun uses it. */
import { writeSync } from 'node:fs';

/** Columns where the terminal does not say how wide it is. */
export const DEFAULT_WIDTH = 80;

/** Writes all of it before it returns, also into a slow pipe; a reader that has gone is no error. */
export function writeOut(text: string): void {
  writeAll(1, text);
}

export function writeError(text: string): void {
  writeAll(2, text);
}

/** For texts that are broken into lines: what the terminal has, else the usual. */
export function textWidth(): number {
  return process.stdout.columns || DEFAULT_WIDTH;
}

function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let written = 0; written < bytes.length;) {
    try {
      written += writeSync(fd, bytes, written);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'EPIPE' || code === 'EBADF') return;
      if (code !== 'EAGAIN') throw error;
    }
  }
}
