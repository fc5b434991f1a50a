import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createLog } from './log.ts';

test('createLog writes one line an event, whatever strangers put into it', () => {
  const lines: string[] = [];
  createLog('n1', (line) => lines.push(line))('peer.refused', {
    why: 'a "b"\n2026 mosd.fake',
    from: '::1',
    count: 3,
    gone: undefined,
  });
  assert.equal(lines.length, 1);
  assert.match(lines[0], /^\S+Z mosd\.peer\.refused node=n1 why="a \\"b\\"\\n2026 mosd\.fake" from=::1 count=3\n$/);
});
