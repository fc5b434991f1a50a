import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ProcessRow } from '../wire/engine_protocol.ts';
import { processTable } from './process_table.ts';

const row: ProcessRow = {
  pid: 4711,
  uid: 0,
  comm: 'simulate',
  where: 'n2',
  home: 'n1',
  threads: 3,
  memoryBytes: 5 << 20,
  cpuMs: 65_000,
  moves: 2,
  forwarded: 12,
  forwardedPerSecond: 3,
  state: 'away',
};
const home: ProcessRow = {
  ...row,
  pid: 12,
  where: 'n1',
  state: 'home',
  reason: 'it maps a file that others may write to',
};
const userName = (): string => 'root';

test('processTable shows everything in one line for each process when its reader is no terminal', () => {
  assert.deepEqual(processTable([row, home], { width: Infinity, userName }), [
    ' PID  USER  WHERE  HOME  THR   MEM   CPU  MOVES  CALLS/S  STATE  PROGRAM   WHY',
    '  12  root  n1     n1      3  5 MB  65 s      2        3  home   simulate  it maps a file that others may write to',
    '4711  root  n2     n1      3  5 MB  65 s      2        3  away   simulate',
  ]);
});

test('processTable leaves out what matters least, and cuts neither a line nor a reason, when there is little room', () => {
  assert.deepEqual(processTable([row, home], { width: 42, userName }), [
    ' PID  WHERE   MEM   CPU  STATE  PROGRAM',
    '  12  n1     5 MB  65 s  home   simulate',
    '    it maps a file that others may write',
    '    to',
    '4711  n2     5 MB  65 s  away   simulate',
  ]);
  for (let width = 24; width < 120; width += 1)
    for (const line of processTable([row, home], { width, userName })) assert.ok(line.length <= width, line);
});

test('processTable has a column for jobs when there is one', () => {
  const [titles, line] = processTable([{ ...row, job: 'night' }], { width: 80, userName });
  assert.match(titles, /HOME {2}JOB/);
  assert.match(line, / night /);
});
