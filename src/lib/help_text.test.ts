import assert from 'node:assert/strict';
import { test } from 'node:test';

import { helpText, wrap } from './help_text.ts';
import { mosd } from './mosd_command.ts';

test('helpText fits the terminal, from the narrowest on, and loses no word', () => {
  const words = (text: string): string => text.replaceAll(/[#\s]+/g, ' ');
  const widest = words(helpText(mosd, 1000)).split(' ').toSorted();
  for (let width = 40; width <= 120; width += 1) {
    const text = helpText(mosd, width);
    for (const line of text.split('\n')) assert.ok(line.length <= Math.min(width, 100), `${width}: ${line}`);
    assert.deepEqual(words(text).split(' ').toSorted(), widest);
  }
});

test('wrap leaves a word whole that is longer than the line', () => {
  assert.deepEqual(wrap('a bbbbbbbbbbbb c', { room: 8, indent: '  ' }), ['a', '  bbbbbbbbbbbb', '  c']);
});
