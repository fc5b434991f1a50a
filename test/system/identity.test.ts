/** A cluster is made, entered, changed and left with the commands, on machines that know nothing of each other. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { startCluster, type Cluster } from '../bed/cluster.ts';
import type { Host, RunResult } from '../bed/host.ts';
import { whySkip } from '../bed/testing.ts';
import { until } from '../bed/wait.ts';
import { command, PATIENCE_MS } from './support.ts';

const skip = await whySkip();

describe('mosix init, token, join, revoke and leave', { skip }, () => {
  let cluster: Cluster;
  let home: Host;
  let n2: Host;
  let n3: Host;

  before(async () => {
    const hosts = ['home', 'n2', 'n3'];
    cluster = await startCluster({ hosts, bare: hosts });
    [home, n2, n3] = cluster.hosts;
  });

  after(async () => {
    await cluster.stop();
  });

  const mosix = (host: Host, ...args: string[]): Promise<RunResult> =>
    host.run([command('mosix'), ...args], { timeoutMs: PATIENCE_MS });

  async function done(host: Host, ...args: string[]): Promise<string> {
    const result = await mosix(host, ...args);
    assert.equal(result.code, 0, `mosix ${args.join(' ')}: ${result.stderr.toString()}`);
    return result.stdout.toString();
  }

  async function refused(host: Host, why: RegExp, ...args: string[]): Promise<void> {
    const { code, stderr } = await mosix(host, ...args);
    assert.match(stderr.toString(), why);
    assert.notEqual(code, 0);
  }

  const token = async (...args: string[]): Promise<string> => (await done(home, 'token', ...args)).trim();

  async function sees(host: Host, expected: Record<string, string>): Promise<void> {
    const matches = async (): Promise<boolean> => {
      const found = await cluster.nodes(host).catch(() => []);
      return (
        found.length === Object.keys(expected).length && found.every(({ name, state }) => expected[name] === state)
      );
    };
    await until(matches, { what: `see ${JSON.stringify(expected)} on ${host.name}`, timeoutMs: PATIENCE_MS });
  }

  test('one command each makes a cluster of three machines', { timeout: 2 * PATIENCE_MS }, async () => {
    await done(home, 'init', '--name', 'lab');
    const modes = await home.run(['sh', '-c', 'stat -c "%a %n" /var/lib/mosix /var/lib/mosix/*']);
    assert.match(modes.stdout.toString(), /^700 \/var\/lib\/mosix$/m);
    for (const file of ['authority.key', 'node.key', 'node.crt', 'charter.json'])
      assert.match(modes.stdout.toString(), new RegExp(`^600 /var/lib/mosix/${file}$`, 'm'));
    const before = await mosix(home, 'doctor', '--peer', n2.address);
    assert.match(
      before.stdout.toString(),
      /port of the daemons: \S+ port 7100: nothing accepts connections there; open it/,
    );
    assert.equal(before.code, 1);
    await done(n2, 'join', await token());
    await done(n3, 'join', await token());
    for (const host of [home, n2, n3]) await sees(host, { home: 'up', n2: 'up', n3: 'up' });
    assert.match(await done(n3, 'cluster'), /cluster "lab", charter 3: 3 nodes/);
    const found = await done(home, 'doctor', '--peer', 'n2');
    for (const what of ['port of the daemons', 'port of the engines', 'link', 'clock', 'version', 'kernel'])
      assert.match(found, new RegExp(`^ok +${what}: `, 'm'));
    await refused(n2, /in the cluster "lab"; mosix leave/, 'join', await token());
    await refused(n2, /authority is at the node "home"; do it there/, 'token');
  });

  test('a program moves between nodes that joined', { timeout: 2 * PATIENCE_MS }, async () => {
    const program = cluster.mosrun(['sleep', '60']);
    await until(async () => (await cluster.mosps()).home.some(({ pid }) => pid === program.pid), {
      what: 'see the program',
      timeoutMs: PATIENCE_MS,
    });
    const moved = await cluster.mosmigrate(program.pid, 'n3');
    assert.equal(moved.code, 0, moved.stderr.toString());
    const back = await cluster.mosmigrate(program.pid, 'home');
    assert.equal(back.code, 0, back.stderr.toString());
    program.kill('SIGKILL');
  });

  test(
    'a node that leaves is forgotten, and comes back with a new token only',
    { timeout: 2 * PATIENCE_MS },
    async () => {
      const used = await token();
      const short = JSON.parse(await token('--ttl', '1s', '--json')) as { token: string; expires: number };
      await done(n3, 'leave');
      await sees(home, { home: 'up', n2: 'up' });
      await refused(n3, /begins with "mosix-"/, 'join', 'swordfish');
      await until(() => Date.now() > short.expires, { what: 'have the token expire', timeoutMs: PATIENCE_MS });
      await refused(n3, /it expired \d+ s ago/, 'join', short.token);
      await done(n3, 'join', used);
      await sees(n2, { home: 'up', n2: 'up', n3: 'up' });
      await done(n3, 'leave');
      await refused(n3, /it has been used, by "n3"/, 'join', used);
      await done(n3, 'join', await token());
      await sees(home, { home: 'up', n2: 'up', n3: 'up' });
    },
  );

  test('a new authority is taken over by all nodes by themselves', { timeout: 2 * PATIENCE_MS }, async () => {
    const authoritiesOf = async (host: Host): Promise<string[]> =>
      (JSON.parse(await done(host, 'cluster', '--json')) as { authorities: string[] }).authorities;
    const [old] = await authoritiesOf(n2);
    await done(home, 'rotate-ca');
    const isOver = async (): Promise<boolean> => {
      const all = await Promise.all([home, n2, n3].map(authoritiesOf));
      return all.every((each) => each.length === 1 && each[0] !== old);
    };
    await until(isOver, { what: 'see the new authority alone everywhere', timeoutMs: PATIENCE_MS });
    for (const host of [home, n2, n3]) await sees(host, { home: 'up', n2: 'up', n3: 'up' });
  });

  test('a node that is revoked is dropped and refused by all others', { timeout: 2 * PATIENCE_MS }, async () => {
    await refused(n2, /authority is at the node "home"/, 'revoke', 'n3');
    await done(home, 'revoke', 'n3');
    await sees(home, { home: 'up', n2: 'up' });
    await sees(n2, { home: 'up', n2: 'up' });
    await sees(n3, { home: 'down', n2: 'down', n3: 'up' });
    const why = async (): Promise<boolean> =>
      (await cluster.nodes(n3)).filter(({ self }) => self !== true).every((node) => /revoked/.test(node.why ?? ''));
    await until(why, { what: 'have the revoked node hear why', timeoutMs: PATIENCE_MS });
    await done(n3, 'leave', '--force');
    await done(n3, 'join', await token());
    await sees(n2, { home: 'up', n2: 'up', n3: 'up' });
  });
});
