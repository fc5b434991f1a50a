/** An interactive bash on a pseudo-terminal, away: line editing, job control, the window's size. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startCluster, type Cluster } from '../bed/cluster.ts';
import type { HostProcess } from '../bed/host_process.ts';
import { whySkip } from '../bed/testing.ts';
import { until } from '../bed/wait.ts';
import { Control } from '../suite/control.ts';
import { PATIENCE_MS } from './support.ts';

const skip = await whySkip();
const [interrupt, suspend, lineBegin, lineEnd] = ['\u0003', '\u001a', '\u0001', '\u0005'];
const [erase, up, left] = ['\u007f', '\u001b[A', '\u001b[D'];
const prompt = 'ready> ';
const answerMs = 20_000;
const terminal = readFileSync(join(import.meta.dirname, 'terminal.pl'), 'utf8');

describe('an interactive shell that is away', { skip }, () => {
  let cluster: Cluster;
  let control: Control;
  let shell: HostProcess;
  let pid: number;
  let seen = 0;

  before(async () => {
    cluster = await startCluster({ timeoutMs: PATIENCE_MS });
    control = await Control.connect(cluster.home);
    const argv = ['perl', '-e', terminal, 'bash', '--norc', '--noprofile', '-i'];
    shell = cluster.home.spawn(argv, { interactive: true, env: { PS1: prompt, TERM: 'dumb' } });
    await says(/ready> $/);
    pid = Number(/^pid (\d+)/.exec(shell.readStdout())?.[1]);
    await control.move(pid, 'n2');
  });

  after(async () => {
    control[Symbol.dispose]();
    await cluster.stop();
  });

  /** Waits until the shell has answered so. @returns what it wrote since the last time */
  async function says(words: RegExp): Promise<string> {
    const fresh = (): string => shell.readStdout().slice(seen);
    await until(() => words.test(fresh()), { what: `read ${words}`, timeoutMs: answerMs, everyMs: 10 }).catch(
      (error: unknown) => assert.fail(`${String(error)}: it wrote ${JSON.stringify(fresh())}`),
    );
    const text = fresh();
    seen += text.length;
    return text;
  }

  async function type(keys: string, answer: RegExp): Promise<string> {
    shell.stdin?.write(keys);
    return says(answer);
  }

  /** A program of this name runs; a job that was not placed executes its programs at home. */
  async function runs(name: string): Promise<void> {
    const argv = ['sh', '-c', `grep -lx ${name} /proc/[0-9]*/comm`];
    const look = async (): Promise<boolean> => (await cluster.home.run(argv)).stdout.toString() !== '';
    await until(look, { what: `see ${name} run`, timeoutMs: answerMs, everyMs: 20 });
  }

  async function staysAway(): Promise<void> {
    const { away } = await control.list();
    assert.ok(away.some((each) => each.pid === pid && each.where === 'n2'));
    assert.deepEqual((await control.calls(pid)).reasons, []);
  }

  const patient = { timeout: 3 * PATIENCE_MS };

  test('edits its lines, and remembers them', patient, async () => {
    await type(`xcho${erase}${lineBegin}${left}e${lineEnd}\n`, /not found[^]*ready> $/);
    await type(`cho one $((6*7))${lineBegin}e\n`, /\none 42\r\nready> $/);
    await type(`${up}${left}${left}${erase}8\n`, /\none 48\r\nready> $/);
    await staysAway();
  });

  test('runs pipelines and here documents', patient, async () => {
    await type(`printf 'b\\na\\n' | sort | tr a-z A-Z\n`, /\nA\r\nB\r\nready> $/);
    await type('cat <<END\nsum $((1+1))\nEND\n', /\nsum 2\r\n[^]*ready> $/);
    await type('(exit 5); echo status $?\n', /\nstatus 5\r\nready> $/);
    await staysAway();
  });

  test('interrupts, stops and continues jobs', patient, async () => {
    shell.stdin?.write('sleep 1000\n');
    await runs('sleep');
    await type(interrupt, /\^C\r\nready> $/);
    await type('echo status $?\n', /\nstatus 130\r\nready> $/);

    shell.stdin?.write('sleep 2000\n');
    await runs('sleep');
    await type(suspend, /Stopped +sleep 2000\r\nready> $/);
    await type('bg\n', /sleep 2000 &\r\nready> $/);
    await type('jobs\n', /Running +sleep 2000 &\r\nready> $/);
    await type('fg\n', /\nsleep 2000\r\n$/);
    await type(suspend, /Stopped +sleep 2000\r\nready> $/);
    await type('kill -KILL %1; wait %1 2>&-; echo status $?\n', /\nstatus 137\r\n[^]*ready> $/);
    await staysAway();
  });

  test('traps signals, and sees the window change', patient, async () => {
    await type("trap 'echo INTERRUPTED' INT\n", /ready> $/);
    await type(interrupt, /INTERRUPTED\r\n[^]*ready> $/);
    await type('trap - INT\n', /ready> $/);
    shell.stdin?.write('@resize 41 99\n');
    const seesSize = async (): Promise<boolean> =>
      /\n41 99\r\n/.test(await type('stty size\n', /\n\d+ \d+\r\nready> $/));
    await until(seesSize, { what: 'see the new size', timeoutMs: PATIENCE_MS });
    await type('echo $LINES $COLUMNS\n', /\n41 99\r\nready> $/);
    await staysAway();
  });

  test('ends as it is told', patient, async () => {
    shell.stdin?.write('exit 3\n');
    assert.deepEqual(await shell.wait(PATIENCE_MS), { code: 3, signal: null });
  });
});
