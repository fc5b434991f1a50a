import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { runLauncher } from '../../../test/system/run.ts';
import { parseCommandLine } from '../../lib/arguments.ts';
import { helpText } from '../../lib/help_text.ts';
import { ALL, CLASSIC } from './table.ts';

const root = join(import.meta.dirname, '..', '..', '..');

test('each command explains itself from its description', { timeout: 120_000 }, async () => {
  for (const command of ALL) {
    // By way of the launcher, which hands verbs to their own commands.
    const [name, ...args] = command.verb === undefined ? command.name.split(' ') : ['mosix', command.verb];
    const { stdout, code } = await runLauncher(name, [...args, '--help']);
    assert.equal(code, 0, command.name);
    const shown = ALL.find((one) => one.name === command.sameAs) ?? command;
    assert.equal(stdout, Buffer.from(helpText(shown, 80)).toString('latin1'), command.name);
  }
});

test('each example is a command line that its command understands', () => {
  for (const { name, examples } of ALL) {
    assert.ok(examples.length > 0, `${name} has no example`);
    for (const [line] of examples) {
      const plain = line.replace(/^eval "\$\((.*)\)"$/, '$1').replace(/ (>|\||&&).*$/, '');
      const words = plain.split(' ').filter((word) => !/^-[A-Z]{2,}$/.test(word)); // -KILL
      const known = ALL.filter((one) => plain === one.name || plain.startsWith(`${one.name} `));
      const byVerb = ALL.filter(({ verb }) => words[0] === 'mosix' && words[1] === verb);
      const [command] = [...known, ...byVerb].toSorted((a, b) => b.name.length - a.name.length);
      assert.ok(command !== undefined, `${line}: no such command`);
      const given = words.slice(plain.startsWith(command.name) ? command.name.split(' ').length : 2);
      assert.doesNotThrow(() => parseCommandLine(given, command), line);
    }
  }
});

test('each option is written the same way everywhere', () => {
  const short = new Map<string, string>();
  for (const { name, options, usage } of ALL) {
    const letters = Object.values(options).flatMap((one) => one.short ?? []);
    assert.equal(new Set(letters).size, letters.length, `${name} has a letter twice`);
    for (const [long, option] of Object.entries(options)) {
      assert.match(option.text, /^(?![A-Z][a-z]).*[^.]$/, `${name} --${long}`);
      if (option.short === undefined) continue;
      assert.equal(short.get(long) ?? option.short, option.short, `--${long} has two letters`);
      short.set(long, option.short);
    }
    assert.ok(usage.length > 0);
  }
});

test('each command refers to others that exist, and is installed', () => {
  const names = new Set(ALL.map(({ name }) => name));
  for (const { name, seeAlso = [] } of ALL)
    for (const other of seeAlso) assert.ok(names.has(other), `${name}: ${other}`);
  const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { bin: Record<string, string> };
  assert.deepEqual(Object.keys(bin).toSorted(), CLASSIC.map(({ name }) => name).toSorted());
  for (const file of Object.values(bin)) assert.ok(existsSync(join(root, file)), file);
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  for (const { name, sameAs } of CLASSIC)
    if (sameAs === undefined) assert.match(readme, new RegExp(`(^|\`)${name}\\b`, 'm'), `README.md on ${name}`);
});
