/**
 * Restartable sequences (rseq(2)): a thread that is interrupted in a critical section goes on at the section's abort handler.
 * The kernel sees to that when the thread runs again, by where it runs then: if we have it make calls elsewhere first, the
 * kernel takes it to have left the section (rseq_ip_fixup in kernel/rseq.c). So we take it to the handler before.
 */
import type { StoppedTask } from '../../sys/ptrace.ts';
import { peek } from '../../sys/remote_memory.ts';
import type { Registers } from '../../sys/x64/registers.ts';

/** Bytes of struct rseq and of struct rseq_cs (linux/rseq.h). */
const size = 32;

/**
 * @param registers those of the task; changed there only
 * @returns whether it was in a critical section
 */
export function abortCriticalSection(task: StoppedTask, registers: Registers): boolean {
  const rseq = task.rseq();
  if (!rseq) return false;
  const area = wordsAt(task.tid, rseq.pointer);
  const descriptor = area?.[1]; // rseq_cs
  if (!descriptor) return false;
  const section = wordsAt(task.tid, Number(descriptor));
  if (!section) return false;
  const [, start, length, abort] = section; // start_ip, post_commit_offset, abort_ip
  if (BigInt.asUintN(64, registers.get('rip') - start) >= length) return false;
  registers.set('rip', abort);
  return true;
}

function wordsAt(tid: number, address: number): BigUint64Array | undefined {
  const bytes = peek(tid, address, size);
  return bytes.length < size ? undefined : new BigUint64Array(bytes.buffer, bytes.byteOffset, size / 8);
}
