import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { RunningTask, StopTimeout, TaskEnded, traceOption } from './ptrace.ts';

async function traced(work: (task: RunningTask) => void): Promise<void> {
  const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
  try {
    await new Promise((resolve) => child.once('spawn', resolve));
    child.unref(); // its end may be reported to us instead of to Node
    const task = RunningTask.seize(child.pid!, traceOption.exitKill);
    if (task instanceof Error) throw task;
    work(task);
  } finally {
    child.kill('SIGKILL');
  }
}

test('waitStop gives up when a task does not stop, and waits for it when it does', () =>
  traced((task) => {
    assert.throws(() => task.waitStop(20), StopTimeout);
    task.interrupt();
    const stop = task.waitStop();
    assert.equal(stop.tid, task.tid);
    assert.throws(() => stop.resume().waitStop(20), StopTimeout);
  }));

test('waitStop says how a task ended when it ends instead of stopping', () =>
  traced((task) => {
    process.kill(task.tid, 'SIGKILL');
    assert.throws(() => task.waitStop(), TaskEnded);
  }));
