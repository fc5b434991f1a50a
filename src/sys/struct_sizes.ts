/**
 * Sizes in bytes of the kernel structures that system calls read and write, as the kernel (not libc) lays them out.
 * `struct_sizes.test.ts` compares them with a C program compiled on the machine.
 */

import type { Architecture } from './syscall_numbers.ts';

/** Equal on all 64-bit architectures. */
const common = {
  cachestat: 40,
  cachestatRange: 16,
  capabilityData: 24,
  capabilityHeader: 8,
  fileClone: 32,
  fileOwner: 8,
  flock: 32,
  fsxattr: 28,
  ifreq: 40,
  int: 4,
  itimerspec: 32,
  itimerval: 32,
  long: 8,
  messageQueueAttributes: 64,
  pollfd: 8,
  rlimit: 16,
  rusage: 144,
  schedParam: 4,
  sembuf: 6,
  sigaction: 32,
  sigevent: 64,
  siginfo: 128,
  signalSet: 8,
  sockaddrStorage: 128,
  statfs: 120,
  statx: 256,
  sysinfo: 112,
  termio: 18,
  termios: 36,
  termios2: 44,
  timespec: 16,
  timeval: 16,
  timex: 208,
  timezone: 8,
  tms: 32,
  ustat: 32,
  utimbuf: 16,
  utsname: 390,
  winsize: 8,
} as const;

export interface StructSizes extends Readonly<Record<keyof typeof common, number>> {
  readonly stat: number;
  readonly epollEvent: number;
}

/** x86-64 packs `struct epoll_event` and has an older, longer `struct stat`. */
const sizes: Readonly<Record<Architecture, StructSizes>> = {
  x64: { ...common, stat: 144, epollEvent: 12 },
  arm64: { ...common, stat: 128, epollEvent: 16 },
};

export function structSizes(architecture: Architecture): StructSizes {
  return sizes[architecture];
}
