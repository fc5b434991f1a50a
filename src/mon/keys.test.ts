import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseKeys } from './keys.ts';

test('parseKeys names keys, however their sequences are cut', () => {
  const typed = 'l[\u001b[A\u001bOB\u001b[5~\u001b[6~\u001b[H\u001b[4~\t\u001b[Z\r\u007fé\u0003\u001b[1;5D\u001b[15~q';
  const names = [
    'l',
    '[',
    'up',
    'down',
    'page-up',
    'page-down',
    'home',
    'end',
    'tab',
    'back-tab',
    'enter',
    'backspace',
    'é',
    'interrupt',
    'q',
  ];
  assert.deepEqual(parseKeys(typed), { keys: names, rest: '' });
  for (let cut = 0; cut <= typed.length; cut += 1) {
    const first = parseKeys(typed.slice(0, cut));
    const second = parseKeys(first.rest + typed.slice(cut));
    assert.deepEqual([...first.keys, ...second.keys], names, `cut at ${cut}`);
  }
});

test('parseKeys keeps an escape until it is clear what it is', () => {
  assert.deepEqual(parseKeys('\u001b'), { keys: [], rest: '\u001b' });
  assert.deepEqual(parseKeys('\u001bq'), { keys: ['escape', 'q'], rest: '' });
});
