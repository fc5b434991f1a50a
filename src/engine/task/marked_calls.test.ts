import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { test } from 'node:test';
import { RunningTask, traceOption, type StoppedTask } from '../../sys/ptrace.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { ERESTART_RESTARTBLOCK, ERESTARTNOHAND } from '../../sys/x64/registers.ts';
import { giveCode } from './interrupted_calls.ts';
import { knownCall, markCall, takeMark, type KnownWait } from './marked_calls.ts';
import { callOf } from './sleep.ts';

const deadline = 10_000;

/** A program that reads its standard input and then waits as before: the same call, at the same place. */
const reader = ['-e', 'process.stdin.on("data", (text) => process.stdout.write(text))'];

async function withProgram(
  { command, args, calls }: { command: string; args: string[]; calls: readonly number[] },
  work: (program: ChildProcessWithoutNullStreams, asleep: () => void) => Promise<void> | void,
): Promise<void> {
  const program = spawn(command, args);
  try {
    await new Promise((resolve) => program.once('spawn', resolve));
    await work(program, () => {
      for (const giveUp = performance.now() + deadline; !calls.includes(callOf(program.pid!)?.number ?? -1);)
        assert.ok(performance.now() < giveUp, 'it does not wait');
    });
  } finally {
    program.kill('SIGKILL');
  }
}

const reading = { command: process.execPath, args: reader, calls: [nr.epoll_wait, nr.epoll_pwait] };

function stop(pid: number): StoppedTask {
  const task = RunningTask.seize(pid, traceOption.exitKill);
  if (task instanceof Error) throw task;
  task.interrupt();
  const stopped = task.waitStop();
  const registers = giveCode(stopped.registers());
  stopped.setRegisters(registers);
  return stopped;
}

function letGoMarked(task: StoppedTask, known: KnownWait): void {
  const registers = task.registers();
  assert.ok(markCall(task.tid, registers, known));
  task.setRegisters(registers);
  task.detach();
}

async function echo(program: ChildProcessWithoutNullStreams): Promise<void> {
  const answer = new Promise((resolve) => program.stdout.once('data', resolve));
  program.stdin.write('x');
  await answer;
}

test('`takeMark` knows a call again as long as the program has not left it, at once and later', () =>
  withProgram(reading, async (program, asleep) => {
    await echo(program);
    asleep();
    let stopped = stop(program.pid!);
    const before = stopped.registers();
    assert.equal(takeMark(stopped, stopped.registers()), undefined);
    for (const atOnce of [true, true, false, true, false]) {
      letGoMarked(stopped, { since: 7n, restartOf: 0 });
      if (!atOnce) asleep();
      stopped = stop(program.pid!);
      assert.equal(knownCall(stopped.tid, stopped.registers())?.since, 7n);
      assert.deepEqual(takeMark(stopped, stopped.registers()), { since: 7n, restartOf: 0 });
      const registers = stopped.registers();
      assert.equal(registers.number('rax'), ERESTARTNOHAND);
      assert.deepEqual(registers.words, before.words);
      assert.equal(takeMark(stopped, registers), undefined, 'it is taken once');
    }
    stopped.detach();
    await echo(program);
  }));

test('`takeMark` finds nothing when the program has left the call and waits in another like it', () =>
  withProgram(reading, async (program, asleep) => {
    await echo(program);
    asleep();
    let stopped = stop(program.pid!);
    const before = stopped.registers();
    letGoMarked(stopped, { since: 7n, restartOf: 0 });
    await echo(program);
    asleep();
    stopped = stop(program.pid!);
    const registers = stopped.registers();
    assert.equal(registers.get('rip'), before.get('rip'));
    assert.equal(registers.syscall, before.syscall);
    assert.equal(knownCall(stopped.tid, registers), undefined);
    assert.equal(takeMark(stopped, registers), undefined);
    stopped.detach();
    await echo(program);
  }));

test('`takeMark` knows what goes on by restart_syscall', () =>
  withProgram(
    { command: 'sleep', args: ['1000'], calls: [nr.clock_nanosleep, nr.restart_syscall] },
    (program, asleep) => {
      asleep();
      let stopped = stop(program.pid!);
      assert.equal(stopped.registers().number('rax'), ERESTART_RESTARTBLOCK);
      for (const [atOnce, restartOf] of [
        [true, 0],
        [false, nr.clock_nanosleep],
        [true, nr.clock_nanosleep],
      ] as const) {
        letGoMarked(stopped, { since: 9n, restartOf });
        if (!atOnce) asleep();
        stopped = stop(program.pid!);
        const registers = stopped.registers();
        assert.deepEqual(takeMark(stopped, registers), { since: 9n, restartOf: nr.clock_nanosleep });
        assert.equal(registers.syscall, nr.restart_syscall);
        assert.equal(registers.number('rax'), ERESTART_RESTARTBLOCK);
      }
    },
  ));
