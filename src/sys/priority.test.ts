import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { getPriority } from 'node:os';
import { test } from 'node:test';
import { preferThisThread } from './priority.ts';

const skip = process.geteuid?.() === 0 ? false : 'needs root rights';

test('preferThisThread prefers this thread, and not what it starts', { skip }, () => {
  preferThisThread();
  assert.equal(getPriority(0), -10);
  assert.equal(execFileSync('nice', { encoding: 'utf8' }), '0\n');
});
