import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Terminal } from '../../../test/suite/shell/terminal.ts';
import { FakeNode, freePort } from '../../../test/system/fake_node.ts';
import { run } from '../../../test/system/run.ts';
import { ALL } from '../commands/table.ts';
import { bashCompletion } from './bash.ts';
import { fishCompletion } from './fish.ts';
import { zshCompletion } from './zsh.ts';

const bin = join(import.meta.dirname, '..', '..', '..', 'bin');
const without = (shell: string): string | false =>
  spawnSync(shell, ['-c', 'true']).error === undefined ? false : `needs the package ${shell}`;
let node: FakeNode;
let folder: string;
let env: Record<string, string>;

before(async () => {
  const peer = { name: 'n2', address: '127.0.0.1', port: await freePort(), guestPort: 1 };
  node = await FakeNode.start({ name: 'n1', peers: [peer] });
  const row = {
    uid: 0,
    where: 'n2',
    home: 'n1',
    threads: 1,
    memoryBytes: 1,
    moves: 1,
    forwarded: 1,
    forwardedPerSecond: 1,
  };
  const away = [{ ...row, pid: 4_194_301, uid: process.getuid?.() ?? 0, comm: 'my sort', state: 'away' as const }];
  node.engine.list = { away, guests: [], returned: [] };
  folder = mkdtempSync(join(tmpdir(), 'mosix-completion-'));
  writeFileSync(join(folder, 'mosix.bash'), bashCompletion(ALL));
  writeFileSync(join(folder, 'mosix.zsh'), zshCompletion(ALL));
  writeFileSync(join(folder, 'mosix.fish'), fishCompletion(ALL));
  writeFileSync(join(folder, 'some-file'), '');
  env = { MOSIX_RUN: node.runDir, PATH: `${bin}:${process.env['PATH']}`, HOME: folder, TERM: 'xterm' };
});

after(async () => {
  await node[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** What the shell offers for a line, whose last word is being typed. */
interface Case {
  line: string;
  /** Offered, among others. */
  offers: readonly string[];
  /** Not offered. */
  not?: readonly string[];
}

const CASES: readonly Case[] = [
  { line: 'mosrun --st', offers: ['--stay'], not: ['--home', '--json'] },
  { line: 'mosrun -r ', offers: ['n1', 'n2'], not: ['home'] },
  { line: 'mosmigrate 4194301 ', offers: ['n2', 'home'] },
  { line: 'mosmigrate ', offers: ['4194301'] },
  { line: 'mosix st', offers: ['status'], not: ['up'] },
  { line: 'mosix ps --no', offers: ['--nodes'] },
  { line: 'mosix completion ', offers: ['bash', 'zsh', 'fish'] },
  { line: 'mosix migrate 4194301 n', offers: ['n2'] },
  { line: 'mosps --calls ', offers: ['4194301'] },
];

function holds({ line, offers, not = [] }: Case, words: readonly string[]): void {
  for (const word of offers) assert.ok(words.includes(word), `"${line}" does not offer ${word}: ${words.join(' ')}`);
  for (const word of not) assert.ok(!words.includes(word), `"${line}" offers ${word}`);
}

test('bashCompletion offers what fits', { skip: without('bash') }, async () => {
  const script = `source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _mosix; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const offered = async (line: string): Promise<string[]> => {
    const argv = ['bash', '--norc', '--noprofile', '-c', script, join(folder, 'mosix.bash'), ...line.split(' ')];
    const { stdout, stderr } = await run(argv, { env });
    assert.equal(stderr, '');
    return stdout.split('\n');
  };
  for (const one of CASES) holds(one, await offered(one.line));
  // After the program its own arguments follow, and no options of mosrun.
  assert.ok(!(await offered('mosrun -r n2 ls --ho')).includes('--home'));
  assert.ok(!(await offered('mosmigrate 4194301 n2 ')).includes('n2'));
});

test('fishCompletion offers what fits', { skip: without('fish') }, async () => {
  for (const one of CASES) {
    const argv = [
      'fish',
      '--no-config',
      '-c',
      'source $argv[1]; complete -C $argv[2]',
      join(folder, 'mosix.fish'),
      one.line,
    ];
    const { stdout, stderr } = await run(argv, { env });
    assert.equal(stderr, '');
    holds(
      one,
      stdout.split('\n').map((each) => each.split('\t')[0]),
    );
  }
});

test('zshCompletion offers what fits', { skip: without('zsh'), timeout: 60_000 }, async () => {
  await using terminal = new Terminal(['zsh', '-f', '-i'], { env: { ...env, PS1: 'ready> ' }, rows: 50, columns: 100 });
  await terminal.shows(/^ready>$/m);
  const begin = `autoload -U compinit && compinit -u -D && source ${join(folder, 'mosix.zsh')} && clear && echo begun\r`;
  terminal.type(`unsetopt menucomplete automenu; setopt autolist; LISTMAX=1000; ${begin}`);
  await terminal.shows(/^begun\nready>$/m);
  for (const [index, one] of CASES.entries()) {
    // ^D lists what there is without taking any of it.
    terminal.type(`${one.line}\u0004`);
    const all = one.offers.map((word) => new RegExp(`(^|\\s)${word}(\\s|$)`, 'm'));
    await terminal.shows(all[0]);
    const listed = terminal.screen.slice(terminal.screen.lastIndexOf('ready> ') + 'ready> '.length + one.line.length);
    holds(one, listed.split(/\s+/));
    terminal.type(`\u0015clear; echo done${index}\r`);
    await terminal.shows(new RegExp(`^done${index}\\nready>$`, 'm'));
  }
});
