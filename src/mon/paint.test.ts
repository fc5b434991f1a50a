import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Screen } from '../../test/suite/shell/screen.ts';
import { Canvas, fitted, type Style } from './canvas.ts';
import { paint } from './paint.ts';
import { generator } from './testing/generated.ts';

const STYLES: readonly Style[] = ['plain', 'bad', 'selected', 'dim'];

test('paint makes a terminal show what was drawn, from whatever it showed before', () => {
  const seed = Number(process.env['SEED'] ?? 1);
  const random = generator(seed);
  const [rows, columns] = [6, 40];
  const screen = new Screen(rows, columns);
  let before: Canvas | undefined;
  for (let round = 0; round < 300; round += 1) {
    const canvas = new Canvas(rows, columns);
    for (let n = 0; n < 6; n += 1) {
      const letters = ['a', '█', ' ', 'Z'][Math.floor(random() * 4)].repeat(1 + Math.floor(random() * 12));
      canvas.put(
        Math.floor(random() * rows),
        Math.floor(random() * columns) - 3,
        letters,
        STYLES[Math.floor(random() * 4)],
      );
    }
    screen.write(paint(canvas, before, round % 2 === 0));
    const seen = screen.text.split('\n').slice(1);
    assert.equal(seen.join('\n').trimEnd(), canvas.toString().trimEnd(), `round ${round}, seed ${seed}`);
    before = canvas;
  }
});

test('paint writes nothing when nothing has changed, and few bytes when little has', () => {
  const draw = (value: string): Canvas => {
    const canvas = new Canvas(50, 200);
    for (let row = 0; row < 50; row += 1) canvas.put(row, 0, 'x'.repeat(200));
    canvas.put(20, 100, value);
    return canvas;
  };
  assert.equal(paint(draw('1'), draw('1'), true), '');
  assert.ok(paint(draw('2'), draw('1'), true).length < 25);
});

test('paint writes no colour where none is wanted', () => {
  const canvas = new Canvas(1, 20);
  for (const [index, style] of (['good', 'warn', 'bad', 'info'] as const).entries())
    canvas.put(0, index * 3, 'ab', style);
  assert.match(paint(canvas, undefined, true), /\u001b\[0;3[1-6]m/);
  assert.doesNotMatch(paint(canvas, undefined, false), /\u001b\[[\d;]*\b[34]\dm/);
});

test('fitted leaves no letter that a terminal would not show in one column', () => {
  assert.equal(fitted('a\u001b[2Jb\u0000漢e\u0301…→é', 20), 'a?[2Jb??e?…→é');
  assert.equal(fitted('abcdef', 4), 'abc…');
});
