import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Screen } from './screen.ts';

function shown(text: string, rows = 4, columns = 10): string {
  const screen = new Screen(rows, columns);
  screen.write(text);
  return screen.text;
}

test('`Screen` overwrites, goes back and starts new lines as a terminal does', () => {
  assert.equal(shown('abc\b\bX\r\nd\te'), '(2,10)\naXc\nd       e\n');
});

test('`Screen` wraps only when something follows the last column, and scrolls at the bottom', () => {
  assert.equal(shown('0123456789', 2), '(1,11)\n0123456789\n');
  assert.equal(shown('0123456789ab\r\nc', 2), '(2,2)\nab\nc\n');
});

test('`Screen` edits lines when it is told by control sequences', () => {
  assert.equal(shown('abcdef\u001b[4D\u001b[2P'), '(1,3)\nabef\n');
  assert.equal(shown('abcd\u001b[1G\u001b[2@xy'), '(1,3)\nxyabcd\n');
  assert.equal(shown('abcd\u001b[2D\u001b[K'), '(1,3)\nab\n');
  assert.equal(shown('a\r\nb\r\nc\u001b[1;1H\u001b[M'), '(1,1)\nb\nc\n');
  assert.equal(shown('a\r\nb\u001bM\u001bMz'), '(1,3)\n z\na\nb\n');
});

test('`Screen` shows what was under a full-screen program when that has ended', () => {
  assert.equal(shown('ready\u001b[?1049h\u001b[H\u001b[2Jfull\u001b[?1049l>'), '(1,7)\nready>\n');
});

test('`Screen` waits for the rest of a control sequence, and passes over colours and titles', () => {
  const screen = new Screen(2, 10);
  for (const part of ['a\u001b[', '1;3', '1mb\u001b]0;ti', 'tle\u0007c\u001b(', 'Bd']) screen.write(part);
  assert.equal(screen.text, '(1,5)\nabcd\n');
});

test('`Screen.resize` keeps the line with the cursor', () => {
  const screen = new Screen(3, 10);
  screen.write('a\r\nb\r\nlonger');
  screen.resize(2, 4);
  assert.equal(screen.text, '(2,4)\nb\nlong\n');
});
