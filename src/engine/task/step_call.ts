/**
 * System calls made by a stopped task without any code of ours: at a `syscall` instruction that is there anyway, stopping
 * where the call begins and where it ends. These stops are no signals (PTRACE_O_TRACESYSGOOD tells them apart), so that
 * nothing of the program's own SIGTRAP is touched: a single step would send one, and reset the action of a program that
 * ignores it (force_sig_info_to_task in kernel/signal.c).
 */
import { mappings, type Mapping } from '../../sys/procfs.ts';
import type { StoppedTask } from '../../sys/ptrace.ts';
import { peek } from '../../sys/remote_memory.ts';
import type { Registers } from '../../sys/x64/registers.ts';
import { Intruders } from './intruders.ts';

const everySignal = 0xffffffffffffffffn;

/** The address of a `syscall` instruction in a process's vDSO. */
export function syscallInstruction(pid: number, maps: readonly Mapping[] = mappings(pid)): number {
  const vdso = maps.find((m) => m.name === '[vdso]');
  if (!vdso) throw new Error(`Cannot inject into process ${pid}: it has no vDSO`);
  const at = Buffer.from(peek(pid, vdso.start, vdso.end - vdso.start)).indexOf(Buffer.from([0x0f, 0x05]));
  if (at < 0) throw new Error(`Cannot inject into process ${pid}: no syscall instruction in its vDSO`);
  return vdso.start + at;
}

/** Makes one call at an existing `syscall` instruction. The task's registers are not restored. */
export function stepCall(task: StoppedTask, instruction: number, number: number, ...args: (number | bigint)[]): number {
  const mask = task.signalMask();
  const registers = task.registers();
  task.setSignalMask(everySignal);
  setCall(registers.set('rip', instruction).set('rax', number).set('orig_rax', -1), args);
  task.setRegisters(registers);
  const intruders = new Intruders();
  toCallStop(task, intruders);
  toCallStop(task, intruders);
  const result = task.registers().number('rax');
  task.setSignalMask(mask);
  return result;
}

/** Runs to the next beginning or end of a call. */
function toCallStop(task: StoppedTask, intruders: Intruders): void {
  let signal = 0;
  for (let left = 1000; left > 0; left--) {
    const stop = task.resumeToCall(signal).waitStop();
    if (stop.atCall) return;
    signal = intruders.take(stop);
  }
  throw new Error(`Cannot make a call in task ${task.tid}: signals keep coming`);
}

function setCall(registers: Registers, args: readonly (number | bigint)[]): void {
  (['rdi', 'rsi', 'rdx', 'r10', 'r8', 'r9'] as const).forEach((name, i) => registers.set(name, args[i] ?? 0));
}
