import assert from 'node:assert/strict';
import { test } from 'node:test';

import { fittingTable, type Field } from './fitting_table.ts';

const FIELDS: readonly Field<string>[] = [
  { title: 'A', align: 'left', rank: 0, of: (row) => row },
  { title: 'B', align: 'right', rank: 2, of: (row) => row.length.toFixed(3) },
  { title: 'C', align: 'left', rank: 1, of: (row) => row.toUpperCase() },
];

test('fittingTable leaves out what matters least, until the rest has room', () => {
  const titles = (width: number): string => fittingTable(FIELDS, ['abcd'], width)[0].replaceAll(/\s+/g, '');
  assert.deepEqual([Infinity, 17, 16, 10, 9, 3].map(titles), ['ABC', 'ABC', 'AC', 'AC', 'A', 'A']);
  assert.equal(fittingTable(FIELDS, ['abcd'], 3)[1], 'ab…');
});

test('fittingTable lays out 100000 rows', () => {
  const rows = Array.from({ length: 100_000 }, (_, index) => String(index));
  assert.equal(fittingTable(FIELDS, rows, 80).length, 100_001);
});
