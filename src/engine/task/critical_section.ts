/**
 * Restartable sequences (rseq(2)): a thread that is interrupted in a critical section goes on at the section's abort handler.
 * The kernel sees to that when the thread runs again, by where it runs then: if we have it make calls elsewhere first, the
 * kernel takes it to have left the section (rseq_ip_fixup in kernel/rseq.c). So we take it to the handler before.
 */
import type { StoppedTask } from '../../sys/ptrace.ts';
import { peek } from '../../sys/remote_memory.ts';

/** Bytes of struct rseq and of struct rseq_cs (linux/rseq.h). */
const size = 32;

/** To be done before a task that was stopped in the middle of its program makes calls of ours. */
export function abortCriticalSection(task: StoppedTask): void {
  const descriptor = wordsAt(task.tid, task.rseq()?.pointer)?.[1]; // rseq_cs
  if (!descriptor) return;
  const section = wordsAt(task.tid, Number(descriptor));
  if (!section) return;
  const [, start, length, abort] = section; // start_ip, post_commit_offset, abort_ip
  const registers = task.registers();
  if (BigInt.asUintN(64, registers.get('rip') - start) < length) task.setRegisters(registers.set('rip', abort));
}

function wordsAt(tid: number, address: number | undefined): BigUint64Array | undefined {
  if (!address) return undefined;
  const bytes = peek(tid, address, size);
  return bytes.length < size ? undefined : new BigUint64Array(bytes.buffer, bytes.byteOffset, size / 8);
}
