import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { runStep, type Step, type StepResult } from './step.ts';

async function run(
  script: string,
  more: Partial<Step> = {},
  signal?: AbortSignal,
): Promise<{ result: StepResult; printed: string[] }> {
  const printed: string[] = [];
  const step: Step = { name: 'x', argv: ['sh', '-c', script], deadline: 20_000, live: false, ...more };
  const print = (line: string): void => void printed.push(line);
  const result = await runStep(step, { cwd: '/', print, ...(signal === undefined ? {} : { signal }) });
  return { result, printed };
}

/** Whether a process runs; one that is dead but not yet waited for has no command line any more. */
function runs(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== '';
  } catch {
    return false;
  }
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, 'the condition did not come true within 5 s');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('runStep passes in silence when the command exits 0', async () => {
  const { result, printed } = await run('echo fine');
  assert.equal(result.outcome, 'passed');
  assert.deepEqual(printed, []);
});

test('runStep prints what the command said when it failed', async () => {
  const { result, printed } = await run('echo broken >&2; exit 3');
  assert.ok(result.outcome === 'failed');
  assert.equal(result.why, 'exit code 3');
  assert.deepEqual(printed, ['  broken']);
});

test('runStep prints every line once when the step is live', async () => {
  const { printed } = await run('echo a; echo b; exit 1', { live: true });
  assert.deepEqual(printed, ['  a', '  b']);
});

test('runStep counts exit 77 as skipped and gives the reason', async () => {
  const { result } = await run('echo you need to be root >&2; exit 77');
  assert.ok(result.outcome === 'skipped');
  assert.equal(result.why, 'you need to be root');
});

test('runStep collects the names of what was skipped inside', async () => {
  const { result } = await run(
    'echo "skipped: gate: no node:ffi"; echo "skip  gzip   moved"; echo "      needs gzip"; echo ok',
  );
  assert.deepEqual(result.skips, ['gate: no node:ffi', 'gzip moved: needs gzip']);
});

test('runStep ends a command and its children at the deadline', async () => {
  const { result, printed } = await run('sleep 1000 & echo $!; wait', { deadline: 300, live: true });
  assert.ok(result.outcome === 'failed');
  assert.match(result.why, /not done within 0.3 s/);
  const child = Number(printed[0]);
  assert.ok(child > 0);
  await until(() => !runs(child));
});

test('runStep ends a background process that holds its output when the command is done', async () => {
  const { result, printed } = await run('sleep 1000 & echo $!', { live: true });
  assert.equal(result.outcome, 'passed');
  await until(() => !runs(Number(printed[0])));
});

test('runStep ends the command when it is interrupted', async () => {
  const { result } = await run('sleep 1000', {}, AbortSignal.timeout(100));
  assert.ok(result.outcome === 'failed');
  assert.match(result.why, /interrupted/);
});

test('runStep fails when there is no such command', async () => {
  const { result } = await run('', { argv: ['/nowhere/at_all'] });
  assert.ok(result.outcome === 'failed');
  assert.match(result.why, /ENOENT/);
});
