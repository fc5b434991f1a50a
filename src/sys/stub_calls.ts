/**
 * The calls that the engine makes inside a body, through its stub. The body's filter exempts the stub's code for these
 * and no others: a program that jumps there can open, connect, mount or trace nothing on the hosting node.
 */
import { numberOf } from './syscalls.ts';

export const stubCalls = [
  // memory
  'brk',
  'madvise',
  'mlock',
  'mlock2',
  'mmap',
  'mprotect',
  'mremap',
  'munlock',
  'munmap',
  'memfd_create',
  // descriptors of the engine that are mapped and closed again
  'close',
  'close_range',
  'recvmsg',
  'socketpair',
  // threads, children, and what each of them registers
  'clone',
  'clone3',
  'exit',
  'wait4',
  'get_robust_list',
  'getpid',
  'rseq',
  'set_robust_list',
  'set_tid_address',
  'sigaltstack',
  // settings; prctl: name, memory flags, PR_SET_MM_MAP, PR_TIMER_CREATE_RESTORE_IDS
  'capset',
  'prctl',
  // signals and timers
  'getitimer',
  'kill',
  'rt_sigaction',
  'rt_sigprocmask',
  'rt_sigqueueinfo',
  'rt_sigreturn',
  'rt_sigtimedwait',
  'rt_tgsigqueueinfo',
  'setitimer',
  'timer_create',
  'timer_delete',
  'timer_getoverrun',
  'timer_gettime',
  'timer_settime',
  'clock_gettime',
] as const;

const numbers: ReadonlySet<number> = new Set(stubCalls.map((name) => numberOf(name, 'x64')));

/** Whether a body's filter lets its stub make the call. */
export function isStubCall(number: number): boolean {
  return numbers.has(number);
}
