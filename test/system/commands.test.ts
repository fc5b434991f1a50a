/** What cannot be done is said in clear words with the right exit code, and whatever runs notices nothing of it. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startCluster, type Cluster } from '../bed/cluster.ts';
import type { RunOptions } from '../bed/host.ts';
import { whySkip } from '../bed/testing.ts';
import { until } from '../bed/wait.ts';
import { command, Counter, moved, PATIENCE_MS, untilUntouched } from './support.ts';

const skip = await whySkip();
const UID = 4711;

interface Refusal {
  /** a command and its arguments */
  argv: readonly string[];
  code: number;
  words: RegExp;
  options?: RunOptions;
}

describe('a command that cannot do what it is asked', { skip }, () => {
  let cluster: Cluster;
  let atHome: Counter;
  let away: Counter;

  before(async () => {
    cluster = await startCluster({ timeoutMs: PATIENCE_MS });
    [atHome, away] = await Promise.all([Counter.start(cluster), Counter.start(cluster)]);
    await moved(cluster, away.pid, 'n2');
  });

  after(async () => {
    await cluster.stop();
  });

  /** One line on standard error, nothing on standard output, the right exit code; both programs go on. */
  async function isRefused({ argv, code, words, options }: Refusal): Promise<void> {
    const [name, ...rest] = argv;
    const result = await cluster.home.run([command(name), ...rest], { timeoutMs: PATIENCE_MS, ...options });
    const said = result.stderr.toString();
    assert.equal(result.code, code, `${argv.join(' ')} said ${said}`);
    assert.match(said, new RegExp(`^${name}: [^\n]+\n$`));
    assert.match(said, words);
    assert.equal(result.stdout.toString(), '');
    await Promise.all([atHome.goesOn(1), away.goesOn(1)]);
  }

  test('says that there is no such process', { timeout: 3 * PATIENCE_MS }, async () => {
    const words = /process 999999.*no such process/;
    await isRefused({ argv: ['mosmigrate', '999999', 'n2'], code: 1, words });
    await isRefused({ argv: ['mosmigrate', '999999', 'home'], code: 1, words });
    await isRefused({ argv: ['mosmigrate', '999999', '--release'], code: 1, words });
    await isRefused({ argv: ['mosmigrate', 'perl', 'n2'], code: 2, words: /"perl" is not a process id/ });
    await isRefused({ argv: ['mosmigrate', '0', 'n2'], code: 2, words: /"0" is not a process id/ });
  });

  test('says that a process is not away, or is no program', { timeout: 3 * PATIENCE_MS }, async () => {
    const own = String(atHome.pid);
    await isRefused({ argv: ['mosmigrate', own, '--release'], code: 1, words: /not away|at home/ });
    const engine = (await cluster.home.readFile('/run/mosix/engine.pid')).toString().trim();
    await isRefused({ argv: ['mosmigrate', engine, 'n2'], code: 1, words: /the engine of this node/ });
    await isRefused({ argv: ['mosmigrate', '1', 'n2'], code: 1, words: /the first process of its machine/ });
  });

  test('says that the process is another user’s', { timeout: 3 * PATIENCE_MS }, async () => {
    const options = { uid: UID };
    const words = /(not yours|another user|owner|belongs)/;
    await isRefused({ argv: ['mosmigrate', String(atHome.pid), 'n2'], code: 77, words, options });
    await isRefused({ argv: ['mosmigrate', String(away.pid), 'home'], code: 77, words, options });
    await isRefused({ argv: ['mosmigrate', String(away.pid), '--release'], code: 77, words, options });
  });

  test('says which nodes there are', { timeout: 3 * PATIENCE_MS }, async () => {
    const words = /no.* "n7"|node "n7"/;
    await isRefused({ argv: ['mosmigrate', String(atHome.pid), 'n7'], code: 2, words });
    await isRefused({ argv: ['mosmigrate', String(away.pid), 'n7'], code: 2, words: /home, n2, n3/ });
    await isRefused({ argv: ['mosrun', '-r', 'n7', 'true'], code: 2, words });
  });

  test('says how to start the daemon', { timeout: 3 * PATIENCE_MS }, async () => {
    const options = { env: { MOSIX_RUN: '/run/nowhere' } };
    const words = /Cannot reach mosd: .*start it with: mosd/;
    await isRefused({ argv: ['mosmigrate', String(atHome.pid), 'n2'], code: 69, words, options });
    await isRefused({ argv: ['mosps'], code: 69, words, options });
    await isRefused({ argv: ['mosrun', 'true'], code: 69, words, options });
  });

  test('says that the daemon was killed, until there is a new one', { timeout: 3 * PATIENCE_MS }, async () => {
    await cluster.killDaemon(cluster.home, 'mosd');
    await isRefused({ argv: ['mosps'], code: 69, words: /start it with: mosd/ });
    await isRefused({ argv: ['mosmigrate', String(away.pid), 'home'], code: 69, words: /start it with: mosd/ });
    cluster.startDaemon(cluster.home);
    await cluster.ready(PATIENCE_MS);
    const listed = (await cluster.mosps()).away.map(({ pid, where }) => [pid, where]);
    assert.deepEqual(listed, [[away.pid, 'n2']]);
  });

  test('says that the node is dead, at once and later', { timeout: 4 * PATIENCE_MS }, async () => {
    await cluster.host('n3').powerLoss();
    const words = /n3/;
    const own = String(atHome.pid);
    await isRefused({ argv: ['mosmigrate', own, 'n3'], code: 69, words });
    const isDown = async (): Promise<boolean> =>
      (await cluster.nodes()).some(({ name, state }) => name === 'n3' && state === 'down');
    await until(isDown, { what: 'see n3 down', timeoutMs: PATIENCE_MS, everyMs: 50 });
    await isRefused({ argv: ['mosmigrate', own, 'n3'], code: 69, words: /Cannot reach the node "n3"/ });
    await isRefused({ argv: ['mosmigrate', String(away.pid), 'n3'], code: 69, words: /Cannot reach the node "n3"/ });
    await isRefused({ argv: ['mosrun', '-r', 'n3', 'true'], code: 69, words: /Cannot reach the node "n3"/ });
  });

  test('has disturbed nothing', { timeout: 3 * PATIENCE_MS }, async () => {
    await untilUntouched(atHome.process.outsidePid);
    await moved(cluster, away.pid, 'home');
    await untilUntouched(away.process.outsidePid);
    await Promise.all([atHome.finish(), away.finish()]);
  });
});
