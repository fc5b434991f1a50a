/** A bed leaves nothing behind, however its user ends. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Bed } from './bed.ts';
import { whySkip } from './testing.ts';
import { until } from './wait.ts';

const skip = await whySkip();
const HERE = import.meta.dirname;
const LEFTOVERS = join(HERE, 'leftovers.sh');

describe('a bed leaves nothing behind', { skip }, () => {
  const PROGRAM = `
    import { Bed } from ${JSON.stringify(join(HERE, 'bed.ts'))};
    process.stdout.write('begin\\n');
    const bed = await Bed.start({ hosts: [{ name: 'one', cpus: 1, memoryBytes: 1e9 }, { name: 'two' }] });
    for (const host of bed.hosts) {
      host.spawn(['sleep', '1000']);
      host.spawn(['sh', '-c', 'mkdir /sys/fs/cgroup/guest; echo 0 > /sys/fs/cgroup/guest/cgroup.procs; kill -STOP $$']);
    }
    await bed.host('two').hang();
    process.stdout.write('complete\\n');
    await bed.host('one').run(['sleep', '1000'], { timeoutMs: 600_000 });`;

  /** Runs the program above, ends it by `signal` when `moment` has come, and compares before and after. */
  async function endAndCompare(signal: NodeJS.Signals, moment: (text: string) => Promise<boolean>): Promise<void> {
    const directory = mkdtempSync(join(tmpdir(), 'bed-test-'));
    const snapshot = join(directory, 'before');
    try {
      assert.equal(spawnSync(LEFTOVERS, ['snapshot', snapshot], { stdio: 'inherit' }).status, 0);
      const user = spawn(process.execPath, ['--no-warnings', '--input-type=module', '-e', PROGRAM], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const ended = new Promise((resolve) => user.on('exit', resolve));
      let text = '';
      user.stdout.on('data', (data: Buffer) => (text += data.toString()));
      await until(() => moment(text), { what: 'reach the moment', timeoutMs: 20_000 });
      user.kill(signal);
      await ended;
      const compared = spawnSync(LEFTOVERS, ['compare', snapshot, '--only', `mosix-bed-${user.pid}-`], {
        encoding: 'utf8',
      });
      assert.equal(compared.status, 0, compared.stdout);
    } finally {
      rmSync(directory, { recursive: true });
    }
  }

  const complete = async (text: string): Promise<boolean> => text.includes('complete');
  for (const signal of ['SIGKILL', 'SIGINT'] as const) {
    test(`when its user gets ${signal}`, () => endAndCompare(signal, complete));
  }

  test('when its user is killed while the bed is being made', async () => {
    for (let milliseconds = 0; milliseconds < 200; milliseconds += 50) {
      let begun = 0;
      await endAndCompare('SIGKILL', async (text) => {
        if (text !== '' && begun === 0) begun = performance.now();
        return begun !== 0 && performance.now() - begun > milliseconds;
      });
    }
  });

  test('after stop', async () => {
    const bed = await Bed.start({ hosts: [{ name: 'one' }] });
    const { pid1 } = bed.host('one');
    await bed.stop();
    assert.equal(existsSync(`/proc/${pid1}`), false);
    assert.deepEqual(
      readdirSync(tmpdir()).filter((name) => name.startsWith(`mosix-bed-${process.pid}-`)),
      [],
    );
  });

  test('when it cannot be made', async () => {
    await assert.rejects(
      Bed.start({ hosts: [{ name: 'one' }], share: ['/no/such/directory'] }),
      /^BedError: Cannot start host one: .*does not exist/s,
    );
    assert.deepEqual(
      readdirSync(tmpdir()).filter((name) => name.startsWith(`mosix-bed-${process.pid}-`)),
      [],
    );
  });
});
