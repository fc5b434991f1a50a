import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

import { ALL } from './commands/table.ts';
import { manPage } from './man_page.ts';

const pages = ALL.map((command) => ({ command, ...manPage(command, { version: '1.2.3', all: ALL }) }));
const skip = spawnSync('groff', ['--version']).error === undefined ? false : 'needs the package groff-base';

test('manPage is a page that groff has nothing against', { skip }, () => {
  for (const { file, text } of pages) {
    const { status, stderr } = spawnSync('groff', ['-ww', '-man', '-Tutf8', '-z'], { input: text, encoding: 'utf8' });
    assert.deepEqual([file, status, stderr], [file, 0, '']);
  }
});

test('manPage says what the description says', { skip }, () => {
  for (const { command, file, text } of pages) {
    const page = spawnSync('groff', ['-man', '-Tutf8', '-P-cbou', '-rLL=400n'], {
      input: text,
      encoding: 'utf8',
    }).stdout;
    const flat = page.replaceAll(/\s+/g, ' ').replaceAll('‐', '-');
    const has = (what: string): void =>
      assert.ok(flat.includes(what.replaceAll('…', '...')), `${file} lacks: ${what}\n${page}`);
    has(`${command.name.replace(' ', '-')} - ${command.summary}`);
    for (const form of command.usage) has(`${command.name} ${form}`.trim());
    for (const paragraph of command.about) has(paragraph);
    for (const [name, { text: meaning }] of Object.entries(command.options))
      for (const what of [meaning, `--${name}`]) has(what);
    for (const [line, meaning] of command.examples) for (const what of [line, meaning]) has(what);
    for (const [, meaning] of command.exits) has(meaning);
  }
});
