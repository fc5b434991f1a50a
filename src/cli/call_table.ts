/** What a process asked its home for: the calls in the order of their number, and what brought it home. */
import { layoutTable } from '../lib/table.ts';
import type { CallList } from '../wire/engine_protocol.ts';
import { outputWidth } from './terminal.ts';

export function callTable({ calls, reasons }: CallList): string {
  const rows = calls
    .toSorted((a, b) => b.count - a.count)
    .map(({ name, count, micros }) => [name, String(count), String(micros)]);
  const lines = layoutTable(COLUMNS, rows, outputWidth());
  const why = reasons.map(({ reason, count }) => `came home ${count} ${count === 1 ? 'time' : 'times'}: ${reason}`);
  return [...lines, ...why, ''].join('\n');
}

const COLUMNS = [
  { title: 'CALL', align: 'left' },
  { title: 'COUNT', align: 'right' },
  { title: 'MICROSECONDS', align: 'right' },
] as const;
