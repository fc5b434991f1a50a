import assert from 'node:assert/strict';
import { test } from 'node:test';

import { type Column, layoutTable } from './table.ts';

const COLUMNS: Column[] = [
  { title: 'PID', align: 'right' },
  { title: 'WHERE', align: 'left' },
  { title: 'COMMAND', align: 'left' },
];

test('layoutTable aligns columns by their widest cell', () => {
  assert.deepEqual(
    layoutTable(
      COLUMNS,
      [
        ['7', 'n2', 'sort'],
        ['12345', 'node-seven', ''],
      ],
      Infinity,
    ),
    ['  PID  WHERE       COMMAND', '    7  n2          sort', '12345  node-seven'],
  );
});

test('layoutTable cuts lines to the width when they are longer', () => {
  const lines = layoutTable(COLUMNS, [['7', 'n2', 'a-very-long-command']], 20);
  assert.deepEqual(lines, ['PID  WHERE  COMMAND', '  7  n2     a-very-…']);
});

test('layoutTable lets no escape sequence through when a name has one', () => {
  assert.ok(
    !layoutTable(COLUMNS, [['7', 'n2', '\u001b[2J\n\u009b']], 80)
      .join('')
      .match(/\p{Cc}/u),
  );
});
