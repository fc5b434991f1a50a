import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Found, judge } from './judge.ts';

const reference = { status: 'exit 0', seconds: 10, digest: 'abc', complaint: '' };
const workload = { schedule: 'early', shareAway: 0.9 } as const;
const program = { schedule: { leave: 1, back: 2 }, shareAway: 0, ends: 'exit 0' } as const;

function found(changes: Partial<Found> = {}): Found {
  const used = { home: 0.5, away: 9.5, daemons: 0 };
  return {
    end: { status: 'exit 0', seconds: 11 },
    refused: '',
    moves: 1,
    used,
    digest: 'abc',
    complaint: '',
    reasons: {},
    ...changes,
  };
}

test('`judge` finds nothing when output, status and place are right', () => {
  assert.deepEqual(judge(workload, 'remote', reference, found()), []);
});

test('`judge` refuses identical output when the program stayed at home', () => {
  const faults = judge(workload, 'remote', reference, found({ moves: 0, used: { home: 10, away: 0, daemons: 0 } }));
  assert.deepEqual(faults, ['moved 0 times, 1 wanted', '0 % of its CPU time was used on other hosts, 90 % wanted']);
});

test('`judge` asks nothing of the place when the mode is home', () => {
  assert.deepEqual(
    judge(workload, 'home', reference, found({ moves: 0, used: { home: 10, away: 0, daemons: 0 } })),
    [],
  );
});

test('`judge` wants two moves when a program is to come home again', () => {
  assert.deepEqual(judge(program, 'moved', reference, found()), ['moved 1 times, 2 wanted']);
});

test('`judge` does not let a program that is to stay away come home by itself', () => {
  const cameHome = found({ reasons: { ioctl: 2 } });
  assert.deepEqual(judge(workload, 'remote', reference, cameHome), []);
  assert.deepEqual(judge({ ...workload, staysAway: true }, 'remote', reference, cameHome), [
    'came home by itself: ioctl',
  ]);
});

test('`judge` names another output, another status and a hang', () => {
  assert.deepEqual(judge(workload, 'moved', reference, found({ digest: 'x' })), [
    'the output differs from that at home',
  ]);
  const died = found({ end: { status: 'signal SIGSEGV', seconds: 3 } });
  assert.deepEqual(judge(workload, 'moved', reference, died), ['ended with signal SIGSEGV, at home with exit 0']);
  const hung = found({ end: { status: 'hang', seconds: 130 }, digest: '' });
  assert.deepEqual(judge(workload, 'moved', reference, hung), ['still ran after 130 s and was killed']);
});

test('`judge` fails a case when even the reference run did not end as it must', () => {
  const broken = { ...reference, status: 'exit 1', complaint: 'FAILED a.c:3' };
  const faults = judge(program, 'home', broken, found({ end: { status: 'exit 1', seconds: 1 } }));
  assert.deepEqual(faults, ['ended with exit 1 at home without us, exit 0 expected: FAILED a.c:3']);
});

test('`judge` asks for half of the share in chaos, where home is one of the places', () => {
  const used = { home: 5, away: 5, daemons: 0 };
  assert.deepEqual(judge(workload, 'chaos', reference, found({ moves: 9, used })), []);
  const little = found({ moves: 9, used: { home: 6, away: 4, daemons: 0 } });
  assert.deepEqual(judge(workload, 'chaos', reference, little), [
    '40 % of its CPU time was used on other hosts, 45 % wanted',
  ]);
});
