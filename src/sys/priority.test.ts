import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { getPriority, release } from 'node:os';
import { test } from 'node:test';
import { serveThisThreadSoon } from './priority.ts';

const skip = process.geteuid?.() === 0 ? false : 'needs root rights';

test('serveThisThreadSoon prefers this thread if it is to, and not what it starts', { skip }, () => {
  serveThisThreadSoon(false);
  assert.equal(getPriority(0), 0);
  serveThisThreadSoon(true);
  assert.equal(getPriority(0), -10);
  assert.equal(execFileSync('nice', { encoding: 'utf8' }), '0\n');
});

/** Of a thread, nanoseconds; undefined where the kernel does not say. */
function sliceOf(tid: string): number | undefined {
  return Number(/^se\.slice\s*:\s*(\d+)/m.exec(fs.readFileSync(`/proc/${tid}/sched`, 'utf8'))?.[1]) || undefined;
}

const [major, minor] = release().split('.').map(Number);
const old = major < 6 || (major === 6 && minor < 12) || sliceOf('thread-self') === undefined;

test('serveThisThreadSoon asks for short turns', { skip: old && 'needs Linux 6.12 with /proc/PID/sched' }, () => {
  serveThisThreadSoon(false);
  assert.equal(sliceOf('thread-self'), 100_000);
  assert.notEqual(Number(execFileSync('sed', ['-n', 's/^se.slice *: *//p', '/proc/self/sched'])), 100_000);
});
