/** From one screen to the next with few bytes: only what differs is written (ECMA-48: CUP, SGR). */
import type { Canvas, Style } from './canvas.ts';

/** Select Graphic Rendition, each from nothing. */
const COLOURED: Readonly<Record<Style, string>> = {
  plain: '0',
  dim: '0;2',
  bold: '0;1',
  good: '0;32',
  warn: '0;33',
  bad: '0;31',
  info: '0;36',
  selected: '0;7',
};
/** Brightness and reversal are no colours (no-color.org). */
const UNCOLOURED: typeof COLOURED = { ...COLOURED, good: '0', warn: '0;1', bad: '0;1', info: '0' };

/** Unchanged cells between two changed ones that are written rather than jumped over: a jump takes some 8 bytes. */
const BRIDGE = 6;

/** @param shown What the terminal shows; undefined: nothing is known, all is written. */
export function paint(next: Canvas, shown: Canvas | undefined, colours: boolean): string {
  const known = shown !== undefined && shown.rows === next.rows && shown.columns === next.columns ? shown : undefined;
  const codes = colours ? COLOURED : UNCOLOURED;
  let out = known === undefined ? '\u001b[0m\u001b[2J' : '';
  let style = '';
  for (let row = 0; row < next.rows; row += 1) {
    for (const [from, to] of changes(next, known, row)) {
      out += `\u001b[${row + 1};${from + 1}H`;
      for (let column = from; column < to; column += 1) {
        const cell = next.cell(row, column);
        const code = codes[cell.style];
        if (code !== style) out += `\u001b[${code}m`;
        style = code;
        out += cell.letter;
      }
    }
  }
  return out === '' || style === '' ? out : `${out}\u001b[0m`;
}

/** Parts of a row that differ. */
function changes(next: Canvas, known: Canvas | undefined, row: number): [from: number, to: number][] {
  const parts: [number, number][] = [];
  for (let column = 0; column < next.columns; column += 1) {
    const wanted = next.cell(row, column);
    const there = known?.cell(row, column);
    const same =
      there === undefined
        ? wanted.letter === ' ' && wanted.style !== 'selected'
        : there.letter === wanted.letter && there.style === wanted.style;
    if (same) continue;
    const last = parts.at(-1);
    if (last !== undefined && column - last[1] <= BRIDGE) last[1] = column + 1;
    else parts.push([column, column + 1]);
  }
  return parts;
}
