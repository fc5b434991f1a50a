import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { FakeNode } from '../../test/system/fake_node.ts';
import { runLauncher, type Outcome } from '../../test/system/run.ts';

let node: FakeNode;

before(async () => {
  node = await FakeNode.start({ name: 'n1' });
});

after(() => node[Symbol.asyncDispose]());

const best = (...args: string[]): Promise<Outcome> =>
  runLauncher('mosbestnode', args, { env: { MOSIX_RUN: node.runDir } });

test('mosbestnode prints a name, and nothing else', async () => {
  assert.deepEqual((await best()).stdout, 'n1\n');
  assert.deepEqual(JSON.parse((await best('--json', '-m', '1')).stdout), { node: 'n1' });
});

test('mosbestnode says when no node has the memory', async () => {
  const { code, stdout, stderr } = await best('-m', '999999999');
  assert.deepEqual([code, stdout], [1, '']);
  assert.match(stderr, /^mosbestnode: Cannot find a node: none has 999999999 MB of free memory; mosbestnode -w waits/);
});

test('mosbestnode says what is wrong with its options', async () => {
  assert.match((await best('-m', 'much')).stderr, /"much" is not a number/);
  assert.equal((await best('n1')).code, 2);
  assert.equal((await runLauncher('mosbestnode', [], { env: { MOSIX_RUN: '/nonexistent' } })).code, 69);
});
