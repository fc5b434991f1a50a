/** The keys of the monitor: on its screen and in its manual. */
import { wrap } from '../lib/help_text.ts';
import { fitted, type Canvas } from './canvas.ts';

export const KEY_HELP: readonly (readonly [key: string, meaning: string])[] = [
  ['l m s u g i', 'load, memory, speed, utilisation, guests, input/output'],
  ['Tab', 'chart, list of nodes, programs, and round again; p: programs'],
  ['[ ] or arrows', 'select a node or program; also PgUp, PgDn, Home, End'],
  ['Enter', 'all about the node, or that where the program is; Esc back'],
  ['d', 'dead nodes: with or without'],
  ['t', 'totals: with or without'],
  ['y', 'yardstick: the speed of a CPU in whose terms load is shown'],
  ['n', 'the next cluster, where there are several'],
  ['o', 'another order: by name, by the figure shown, by state'],
  ['/', 'only what contains a text; Esc shows all again'],
  ['h', 'this text'],
  ['q', 'quit; ^Z suspends, ^L draws anew'],
];

const ABOUT =
  'Load 100 is one CPU-bound program on each CPU of standard speed (10000). A figure that a node does not tell is "-". The ' +
  'programs are those of the node that is asked, and its guests.';

export function drawHelp(canvas: Canvas, area: { top: number; bottom: number }): void {
  for (const [index, [key, meaning]] of KEY_HELP.entries()) {
    if (area.top + index >= area.bottom) return;
    canvas.put(area.top + index, 2, key, 'bold');
    canvas.put(area.top + index, 17, fitted(meaning, canvas.columns - 17));
  }
  for (const [index, line] of wrap(ABOUT, { room: canvas.columns - 4 }).entries()) {
    const row = area.top + KEY_HELP.length + 1 + index;
    if (row < area.bottom) canvas.put(row, 2, line, 'dim');
  }
}
