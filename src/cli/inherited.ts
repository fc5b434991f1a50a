/**
 * The process as it was when mosrun was started, and how to make it so again.
 *
 * Node changes at its start what the program that mosrun becomes must find untouched: it gives all ignored signals
 * their default action (a program under nohup would die with the terminal), ignores SIGPIPE and SIGXFSZ, raises the
 * limit of open files, closes inherited descriptors at exec, and opens the standard ones if they are closed. None of it can
 * be seen afterwards, so the launcher notes it before Node starts, in one environment variable.
 */
import { kernel } from '../sys/kernel.ts';
import { Memory } from '../sys/memory.ts';
import { nr } from '../sys/x64/numbers.ts';

/** Set by bin/launch.sh: `ignored=HEX nofile=N fds=0,1,2,`; never seen by the program. */
export const INHERITED_VARIABLE = 'MOSIX_INHERITED';

export interface Inherited {
  /** Signals that were ignored: bit 0 is signal 1. */
  ignoredSignals: bigint;
  /** Soft limit of open files; undefined if it is not known. */
  openFiles: bigint | undefined;
  /** Open descriptors that outlive exec; undefined if they are not known. */
  descriptors: readonly number[] | undefined;
}

const RLIM_INFINITY = 0xffff_ffff_ffff_ffffn;

/** @param text Of the launcher; whatever it lacks is left as Node made it, but for the signals. */
export function parseInherited(text: string): Inherited {
  const values = new Map(
    text.split(' ').map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  );
  const ignored = values.get('ignored') ?? '';
  const openFiles = values.get('nofile') ?? '';
  const descriptors = values.get('fds');
  return {
    ignoredSignals: /^[0-9a-f]{1,16}$/i.test(ignored) ? BigInt(`0x${ignored}`) : 0n,
    openFiles: openFiles === 'unlimited' ? RLIM_INFINITY : /^\d{1,18}$/.test(openFiles) ? BigInt(openFiles) : undefined,
    descriptors: descriptors
      ?.split(',')
      .filter((part) => /^\d{1,9}$/.test(part))
      .map(Number),
  };
}

/** Restores what was inherited, right before exec: from here on Node itself may not run for long. */
export function restoreInherited(inherited: Inherited): void {
  using memory = Memory.anonymous(4096);
  restoreSignals(memory, inherited.ignoredSignals);
  if (inherited.openFiles !== undefined) restoreOpenFiles(memory, inherited.openFiles);
  restoreDescriptors(inherited.descriptors ?? [0, 1, 2]);
  if (inherited.descriptors !== undefined) closeStandardDescriptors(inherited.descriptors);
}

const SIG_DFL = 0;
const SIG_IGN = 1;
const SIGKILL = 9;
const SIGPIPE = 13;
const SIGSTOP = 19;
const SIGXFSZ = 25;
const SIGNALS = 64;

/** Actions with a handler become the default at exec by themselves (execve(2)); so only these differ. */
function restoreSignals(memory: Memory, ignored: bigint): void {
  for (let signal = 1; signal <= SIGNALS; signal += 1) {
    const isIgnored = ((ignored >> BigInt(signal - 1)) & 1n) === 1n;
    const changedByNode = signal === SIGPIPE || signal === SIGXFSZ;
    if (signal === SIGKILL || signal === SIGSTOP || (!isIgnored && !changedByNode)) continue;
    // struct kernel_sigaction: handler, flags, restorer, mask; 8 bytes each.
    memory.u8.fill(0, 0, 32);
    memory.write64(0, isIgnored ? SIG_IGN : SIG_DFL);
    kernel.call(nr.rt_sigaction, signal, memory.address, 0, 8);
  }
}

const RLIMIT_NOFILE = 7;

function restoreOpenFiles(memory: Memory, soft: bigint): void {
  if (kernel.call(nr.prlimit64, 0, RLIMIT_NOFILE, 0, memory.address) < 0) return;
  memory.u64[0] = soft;
  kernel.call(nr.prlimit64, 0, RLIMIT_NOFILE, memory.address, 0);
}

const F_GETFD = 1;
const F_SETFD = 2;
const FD_CLOEXEC = 1;

function restoreDescriptors(descriptors: readonly number[]): void {
  for (const fd of descriptors) {
    const flags = kernel.call(nr.fcntl, fd, F_GETFD);
    if (flags >= 0) kernel.call(nr.fcntl, fd, F_SETFD, flags & ~FD_CLOEXEC);
  }
}

/** Closed at the start, and opened by Node: a program may rely on it that its next descriptor is 0. */
function closeStandardDescriptors(inherited: readonly number[]): void {
  for (const fd of [0, 1, 2]) if (!inherited.includes(fd)) kernel.call(nr.close, fd);
}
