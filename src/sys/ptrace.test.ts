import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { RunningTask, SIGTRAP, StopTimeout, TaskEnded, traceOption, type StoppedTask } from './ptrace.ts';

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

test('setBreakpoints stops a task before one of the instructions, until it is told otherwise', () =>
  traced((task) => {
    let asleep: StoppedTask;
    for (;;) {
      assert.throws(() => task.waitStop(5), StopTimeout);
      task.interrupt();
      asleep = task.waitStop();
      if (asleep.registers().interrupted) break;
      asleep.resume(); // it has not begun to sleep yet
    }
    const call = asleep.registers().number('rip') - 2; // the kernel makes it again
    assert.ok(asleep.setBreakpoints([call + 2, call]));
    const stop = asleep.resume().waitStop();
    assert.equal(stop.signal, SIGTRAP);
    assert.equal(stop.registers().number('rip'), call);
    assert.ok(stop.setBreakpoints([]));
    assert.throws(() => stop.resume().waitStop(20), StopTimeout);
  }));

test('setExtendedState takes the state of a CPU with more or fewer components', () =>
  traced((task) => {
    task.interrupt();
    const stop = task.waitStop();
    const state = stop.extendedState();
    const XSTATE_BV = 512;
    state[XSTATE_BV] = 3; // x87 and SSE are in use
    state.fill(0, XSTATE_BV + 1, XSTATE_BV + 8);
    const firstRegister = 160;
    for (const [length, mark] of [
      [state.length + 64, 1],
      [576, 2],
    ]) {
      const other = new Uint8Array(length);
      other.set(state.subarray(0, length));
      other[firstRegister] = mark;
      stop.setExtendedState(other);
      assert.equal(stop.extendedState()[firstRegister], mark);
      assert.equal(stop.extendedState().length, state.length);
    }
    stop.resume();
  }));
