import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { IdentityStore } from '../wire/identity/identity_store.ts';
import { FakeEngine, freePort, identityOf, until } from '../../test/system/fake_node.ts';
import { runLauncher, type Outcome } from '../../test/system/run.ts';

interface Place {
  directory: string;
  config: string;
  port: number;
}

async function place(t: TestContext, more = ''): Promise<Place> {
  const directory = mkdtempSync(join(tmpdir(), 'mosd-'));
  const config = join(directory, 'mosix.toml');
  t.after(async () => {
    await mosd('--config', config, '--stop'); // which needs the files
    rmSync(directory, { recursive: true });
  });
  const port = await freePort();
  const state = join(directory, 'state');
  const self = { name: 'n1', address: '127.0.0.1', port, guestPort: 1 };
  new IdentityStore(state).saveIdentity(await identityOf(self, []));
  writeFileSync(
    config,
    `name = "n1"\naddress = "127.0.0.1"\nport = ${port}\nguest_port = 1\nstate_dir = "${state}"\nrun_dir = "${directory}"\n${more}`,
  );
  return { directory, config, port };
}

const mosd = (...args: string[]): Promise<Outcome> => runLauncher('mosd', args, { env: { MOSIX_CONFIG: '' } });

test('mosd runs in the background, finds the engine that runs, refuses a second start, and ends with --stop', async (t) => {
  const { directory, config } = await place(t);
  const engine = new FakeEngine(join(directory, 'engine.sock'), 'n1');
  t.after(() => engine.stop());
  let shutDown = 0;
  engine.behaviours['shutdown'] = () => (shutDown += 1);

  const first = await mosd('--config', config);
  assert.equal(first.stderr, '');
  assert.equal(first.code, 0);
  const pid = readFileSync(join(directory, 'mosd.pid'), 'utf8').trim();
  const second = await mosd('--config', config);
  assert.equal(second.code, 1);
  assert.equal(second.stderr, `mosd: Cannot start mosd: it already runs on this node as process ${pid}\n`);
  const nodes = await runLauncher('mosps', ['--nodes'], { env: { MOSIX_RUN: directory } });
  assert.match(nodes.stdout, /^n1 .* up \(this\)/m);

  assert.equal((await mosd('--config', config, '--stop')).code, 0);
  assert.equal(shutDown, 1);
  await until('mosd has ended', () => readFileSync(join(directory, 'mosd.pid'), 'utf8') === '');
  const again = await mosd('--config', config, '--stop');
  assert.equal(again.code, 69);
  assert.match(again.stderr, /Cannot stop mosd: it does not run here/);
});

test('mosd says what is wrong with its configuration, key and options', async (t) => {
  const { directory, config } = await place(t, 'prot = 7');
  const mistyped = await mosd('--config', config);
  assert.equal(
    mistyped.stderr,
    `mosd: Cannot use the configuration ${config}: there is no key "prot"; did you mean "port"?\n`,
  );
  assert.equal(mistyped.code, 2);
  const good = await place(t);
  chmodSync(join(good.directory, 'state', 'node.key'), 0o644);
  const open = await mosd('--config', good.config);
  assert.match(open.stderr, /others may read it \(mode 0644\); run: chmod 600/);
  assert.equal(open.code, 2);
  rmSync(join(good.directory, 'state'), { recursive: true });
  const stranger = await mosd('--config', good.config);
  assert.match(stranger.stderr, /belongs to no cluster .*; mosix init makes one, mosix join TOKEN enters one/);
  assert.equal(stranger.code, 2);
  assert.match((await mosd('--config', join(directory, 'none'))).stderr, /there is no such file or directory/);
  assert.match((await mosd('--confg', config)).stderr, /no option --confg; did you mean "--config"\?/);
  assert.match((await mosd('start')).stderr, /nothing to do with "start"/);
  assert.match((await mosd('--help')).stdout, /^Usage: mosd /);
});

test('mosd says why when it cannot listen', async (t) => {
  const { directory, config, port } = await place(t);
  const taken = await place(t);
  const engines = [directory, taken.directory].map((each) => new FakeEngine(join(each, 'engine.sock'), 'n1'));
  t.after(() => engines.forEach((engine) => engine.stop()));
  engines[0].behaviours['shutdown'] = () => ({});
  assert.equal((await mosd('--config', config)).code, 0);
  writeFileSync(taken.config, readFileSync(taken.config, 'utf8').replace(/^port = \d+$/m, `port = ${port}`));
  const second = await mosd('--config', taken.config);
  assert.equal(
    second.stderr,
    `mosd: Cannot listen for peers on 127.0.0.1 port ${port}: another program uses this address and port\n`,
  );
  assert.equal(second.code, 1);
});
