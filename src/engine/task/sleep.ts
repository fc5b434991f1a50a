/** What /proc tells of a task that sleeps in a system call, before it is interrupted: since when, and in which call. */
import fs from 'node:fs';
import { kernel } from '../../sys/kernel.ts';
import { arena, scratch } from '../../sys/memory.ts';
import { statFields } from '../../sys/procfs.ts';
import { describe } from '../../sys/syscalls.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { readClock } from './clocks.ts';
import { timeoutOf } from './timed_waits.ts';

export interface Sleep {
  /** When it fell asleep, on CLOCK_MONOTONIC, nanoseconds. */
  readonly since: bigint;
  /** How often it had slept by then. */
  readonly sleeps: number;
  /** Of a call that goes on by restart_syscall(2): the call that it was; 0 for others, and when that is not known. */
  readonly restartOf: number;
}

/** What the scheduler says of a task: when it last ran, on the clock of its CPU, milliseconds, and how often it slept. */
function schedule(tid: number | 'thread-self'): { lastRan: number; sleeps: number } | undefined {
  try {
    const text = fs.readFileSync(`/proc/${tid}/sched`, 'latin1');
    const number = (name: RegExp): number => Number(name.exec(text)?.[1] ?? NaN);
    const lastRan = number(/^se\.exec_start\s*:\s*([\d.]+)/m);
    const sleeps = number(/^nr_voluntary_switches\s*:\s*(\d+)/m);
    return Number.isNaN(lastRan + sleeps) ? undefined : { lastRan, sleeps };
  } catch {
    return undefined;
  }
}

const CLOCK_THREAD_CPUTIME_ID = 3;
const clockAt = scratch(16);

const affinitySize = 128;
const affinityAt = scratch(2 * affinitySize);

/** Runs `body` on one CPU; the scheduler's clocks of different CPUs drift apart by the time that a hypervisor takes. */
function onCpu<T>(cpu: number, body: () => T): T {
  const mask = arena.address + affinityAt;
  const got = kernel.call(nr.sched_getaffinity, 0, affinitySize, mask);
  arena.u8.fill(0, affinityAt + affinitySize, affinityAt + 2 * affinitySize);
  arena.u8[affinityAt + affinitySize + (cpu >> 3)] = 1 << (cpu & 7);
  kernel.call(nr.sched_setaffinity, 0, affinitySize, mask + affinitySize);
  try {
    return body();
  } finally {
    if (got > 0) kernel.call(nr.sched_setaffinity, 0, got, mask);
  }
}

/** Looks at a sleeping task; undefined when it runs, the kernel does not say, or it does not matter how long it has slept. */
export function observeSleep(tid: number): Sleep | undefined {
  const call = callOf(tid);
  if (!call || !matters(call)) return undefined;
  const field = statOf(tid);
  if (!field) return undefined;
  const cpu = Number(field(39));
  const asleep = schedule(tid);
  if (!asleep || field(3) !== 'S' || cpu >= affinitySize * 8) return undefined;
  const now = onCpu(cpu, () => {
    // Brings our own entry up to date (task_sched_runtime in the kernel's kernel/sched/core.c): the present on the same clock.
    kernel.call(nr.clock_gettime, CLOCK_THREAD_CPUTIME_ID, arena.address + clockAt);
    return schedule('thread-self');
  });
  const present = readClock('monotonic');
  // It may have woken up meanwhile, and gone to another CPU.
  const again = schedule(tid);
  if (!now || again?.sleeps !== asleep.sleeps || again.lastRan !== asleep.lastRan) return undefined;
  const slept = Math.max(0, now.lastRan - asleep.lastRan);
  return {
    since: present - BigInt(Math.floor(slept * 1e6)),
    sleeps: asleep.sleeps,
    restartOf: restartedCall(tid, call),
  };
}

function statOf(tid: number): ((index: number) => string) | undefined {
  try {
    return statFields(tid);
  } catch {
    return undefined; // it has ended
  }
}

/** Whether a task that has been stopped was stopped in the sleep that was observed: stopping counts as one more. */
export function stoppedIn(tid: number, sleep: Sleep): boolean {
  return schedule(tid)?.sleeps === sleep.sleeps + 1;
}

/** The call that a sleeping task is in, and where it goes on after it (proc(5), /proc/PID/syscall); undefined when it runs. */
export function callOf(tid: number): { number: number; args: bigint[]; next: bigint } | undefined {
  try {
    const [number, ...words] = fs.readFileSync(`/proc/${tid}/syscall`, 'latin1').trim().split(' ');
    if (words.length < 8) return undefined;
    return { number: Number(number), args: words.slice(0, 6).map(BigInt), next: BigInt(words[7]) };
  } catch {
    return undefined; // it has ended
  }
}

/** Whether it counts since when a task has slept, or that it has: the kernel neither waits for ever nor keeps the rest of the time. */
function matters({ number, args }: { number: number; args: bigint[] }): boolean {
  if (number === nr.restart_syscall || describe(number)?.interrupted === 'eintr') return true;
  const timeout = timeoutOf(number, args);
  return timeout !== undefined && timeout.kind !== 'counted';
}

/** Which call a sleeping task has gone on with by restart_syscall; where it sleeps tells (proc(5), wchan). */
function restartedCall(tid: number, { number, args }: { number: number; args: bigint[] }): number {
  if (number !== nr.restart_syscall) return 0;
  try {
    const where = fs.readFileSync(`/proc/${tid}/wchan`, 'latin1');
    if (where.includes('futex')) return nr.futex;
    if (where.includes('poll')) return nr.poll;
    // The scheduler's own functions are left out (do_nanosleep is one), and who calls it may do so by a jump: then the entry
    // of system calls is what remains.
    if (!/sleep|syscall/.test(where)) return 0; // it has just been woken
    // A clock's number is the first argument of the one, an address that of the other.
    return args[0] < 4096n ? nr.clock_nanosleep : nr.nanosleep;
  } catch {
    return 0;
  }
}
