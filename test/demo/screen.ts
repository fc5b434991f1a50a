/** What the demo shows: a live table on a terminal, a line per event elsewhere. */
import { formatBytes, formatCount, formatMilliseconds } from '../../src/lib/format.ts';
import { type Column, layoutTable } from '../../src/lib/table.ts';
import type { Move, Traveller } from './traveller.ts';

const columns: readonly Column[] = [
  { title: 'PROGRAM', align: 'left' },
  { title: 'PID', align: 'right' },
  { title: 'WHERE', align: 'left' },
  { title: 'STATE', align: 'left' },
  { title: 'THREADS', align: 'right' },
  { title: 'MEMORY', align: 'right' },
  { title: 'MOVES', align: 'right' },
  { title: 'CALLS/S', align: 'right' },
  { title: 'LAST FREEZE', align: 'right' },
];

export class Screen {
  readonly #live = process.stdout.isTTY;
  readonly #begin = performance.now();
  /** Lines of the table that stand on the terminal and will be overwritten. */
  #painted = 0;

  say(text: string): void {
    this.#painted = 0;
    process.stdout.write(`${text}\n`);
  }

  /** On a terminal the table shows it. */
  event(move: Move): void {
    if (this.#live) return;
    const seconds = ((performance.now() - this.#begin) / 1000).toFixed(1).padStart(5);
    const freeze = formatMilliseconds(move.freezeMs);
    this.say(
      `${seconds} s  ${move.program} (pid ${move.pid}): ${move.from} → ${move.to}, froze ${freeze}, ${formatBytes(move.bytes)}`,
    );
  }

  paint(travellers: readonly Traveller[]): void {
    if (!this.#live) return;
    const lines = layoutTable(columns, travellers.map(rowOf), process.stdout.columns ?? 80);
    const up = this.#painted > 0 ? `\x1b[${this.#painted}A` : '';
    process.stdout.write(up + lines.map((line) => `\x1b[2K${line}\n`).join(''));
    this.#painted = lines.length;
  }

  table(titles: readonly Column[], rows: readonly (readonly string[])[]): void {
    this.say(layoutTable(titles, rows, process.stdout.columns ?? 120).join('\n'));
  }
}

function rowOf(traveller: Traveller): string[] {
  const { row, moves } = traveller;
  const last = moves.at(-1);
  return [
    traveller.one.name,
    traveller.pid === 0 ? '' : String(traveller.pid),
    traveller.where,
    traveller.state,
    row === undefined ? '' : String(row.threads),
    row === undefined ? '' : formatBytes(row.memoryBytes),
    String(moves.length),
    row === undefined ? '' : formatCount(row.forwardedPerSecond),
    last === undefined ? '' : formatMilliseconds(last.freezeMs),
  ];
}
