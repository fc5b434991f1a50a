/**
 * The one description of every Linux system call: what its arguments are and where a body's call is made.
 *
 * The seccomp filter (seccomp_filter.ts), the marshalling (marshal.ts), the trace output and their tests are all
 * derived from this table. Its classes:
 *
 * - `local`: touches only the body's own memory, threads or signal mask; the body makes it where it is. With
 *   `localWhen`, only calls whose argument passes the test are local; the others trap.
 * - `forward`: the deputy makes it at home; buffers travel.
 * - `special`: the engine does it itself, step by step (threads, signals, file mappings, exec, exit).
 * - `come-home`: neither; the process returns to its home node and makes the call there. Always right, only slower.
 *
 * Calls that carry further commands in an argument (ioctl, fcntl, prctl …) are refined in syscall_commands.ts.
 * Directions and sizes follow the kernel's own code, not libc's prototypes.
 */

import { nativeArchitecture, numberOn, syscallNames, type Architecture, type SyscallName } from './syscall_numbers.ts';
import { structSizes, type StructSizes } from './struct_sizes.ts';

/**
 * How many bytes a buffer has.
 * `argument`: the value of that argument in C type `type` (default 'size'), times `unit`, plus `plus`; a negative int is no buffer.
 * `countAt`: the u32 at that offset of the buffer itself, times `unit`, plus `plus`, and no less than `least`.
 * `pointedBy`: the int found at the address in that argument.
 * `fdSetOf`: an fd_set for as many descriptors as that argument says.
 * `max`: the kernel never touches more than this, whatever the program says.
 * `refused`: the kernel refuses more than this, having looked at no more than `plus` or `least` bytes; only these travel.
 */
export type LengthRule =
  | { readonly bytes: number }
  | {
      readonly argument: number;
      readonly unit: number;
      readonly plus?: number;
      readonly type?: 'int' | 'uint' | 'size';
      readonly max?: number;
      readonly refused?: number;
    }
  | {
      readonly countAt: number;
      readonly unit: number;
      readonly plus: number;
      readonly least?: number;
      readonly refused?: number;
    }
  | { readonly pointedBy: number; readonly max?: number }
  | { readonly fdSetOf: number };

/**
 * `out` is valid only after success, and then all of it (`whole`) or the return value's number of units (`result`).
 * A buffer that the kernel fills in part, or also when it fails, is `inout`: what it leaves alone is written back unchanged.
 */
export type ArgumentKind =
  | { readonly kind: 'value' }
  | { readonly kind: 'fd' }
  | { readonly kind: 'path' }
  | { readonly kind: 'string' }
  | { readonly kind: 'in'; readonly length: LengthRule }
  | { readonly kind: 'out'; readonly length: LengthRule; readonly filled: 'whole' | 'result' }
  | { readonly kind: 'inout'; readonly length: LengthRule }
  | { readonly kind: 'address' };

export type SyscallClass = 'local' | 'forward' | 'special' | 'come-home';

/**
 * A test of one argument that the filter can make: an int (the kernel ignores the high half) that is one of these values,
 * or a long with an empty high half that has these bits set and those clear.
 */
export type LocalTest =
  | { readonly argument: number; readonly anyOf: readonly number[] }
  | { readonly argument: number; readonly set: number; readonly clear: number };

export interface SyscallDescription {
  readonly name: SyscallName;
  readonly nr: number;
  readonly class: SyscallClass;
  readonly arguments: readonly ArgumentKind[];
  /** Of a call that is not `local` altogether: those of its calls that are. */
  readonly localWhen?: LocalTest;
  /** May return -EINTR, and no restart code, when the engine interrupts it: to be repeated if no signal of the program's was due. */
  readonly interrupted?: 'eintr';
  /** Moves data of any size, which the engine streams. */
  readonly bulk?: true;
  /** Local, but not in a process whose signals are partly kept at home (see docs/internals/signals.md, "signalfd"). */
  readonly heldSignals?: true;
  readonly note?: string;
}

/** The description of call `nr`, or undefined if this table does not know it. */
export function describe(nr: number, architecture: Architecture = nativeArchitecture): SyscallDescription | undefined {
  return tables[architecture].get(nr);
}

/** The call's name for people: 'read', or 'syscall_999' if it is unknown. */
export function nameOf(nr: number, architecture: Architecture = nativeArchitecture): string {
  return describe(nr, architecture)?.name ?? `syscall_${nr}`;
}

/** The call's number, or -1 (which the kernel answers with ENOSYS) if there is none of that name on this architecture. */
export function numberOf(name: string, architecture: Architecture = nativeArchitecture): number {
  return (syscallNames as readonly string[]).includes(name) ? (numberOn(name as SyscallName, architecture) ?? -1) : -1;
}

/** Every call of the architecture, by ascending number. */
export function descriptionsOf(architecture: Architecture = nativeArchitecture): readonly SyscallDescription[] {
  return [...tables[architecture].values()];
}

type Row = Omit<SyscallDescription, 'name' | 'nr'>;

const value: ArgumentKind = { kind: 'value' };
const fd: ArgumentKind = { kind: 'fd' };
const path: ArgumentKind = { kind: 'path' };
const string: ArgumentKind = { kind: 'string' };
const address: ArgumentKind = { kind: 'address' };

const bytes = (count: number): LengthRule => ({ bytes: count });
const size = (argument: number): LengthRule => ({ argument, unit: 1 });
const int = (argument: number, max?: number): LengthRule => ({ argument, unit: 1, type: 'int', max });
const uint = (argument: number, max?: number): LengthRule => ({ argument, unit: 1, type: 'uint', max });
const ints = (argument: number, unit: number): LengthRule => ({ argument, unit, type: 'int' });
const sizeTo = (argument: number, max: number): LengthRule => ({ argument, unit: 1, max });
const uints = (argument: number, unit: number): LengthRule => ({ argument, unit, type: 'uint' });
const pointedBy = (argument: number, max?: number): LengthRule => ({ pointedBy: argument, max });
/** At most `most` bytes; the kernel refuses more. */
const upTo = (most: number, rule: LengthRule): LengthRule => ({ ...rule, refused: most });
/** The structure says in its first word how long it is. */
const ownSize = (least: number, most: number): LengthRule => ({ countAt: 0, unit: 1, plus: 0, least, refused: most });

const input = (length: LengthRule): ArgumentKind => ({ kind: 'in', length });
const output = (length: LengthRule): ArgumentKind => ({ kind: 'out', length, filled: 'whole' });
const result = (length: LengthRule): ArgumentKind => ({ kind: 'out', length, filled: 'result' });
const both = (length: LengthRule): ArgumentKind => ({ kind: 'inout', length });
const fdSet: ArgumentKind = { kind: 'inout', length: { fdSetOf: 0 } };

const local = (...kinds: ArgumentKind[]): Row => ({ class: 'local', arguments: kinds });
const forward = (...kinds: ArgumentKind[]): Row => ({ class: 'forward', arguments: kinds });
const ofHeldSignals = (row: Row): Row => ({ ...row, heldSignals: true });
const special = (...kinds: ArgumentKind[]): Row => ({ class: 'special', arguments: kinds });
const home = (...kinds: ArgumentKind[]): Row => ({ class: 'come-home', arguments: kinds });

const noted = (row: Row, note: string): Row => ({ ...row, note });
const eintr = (row: Row, note?: string): Row => ({
  ...row,
  interrupted: 'eintr',
  ...(note === undefined ? {} : { note }),
});
const bulk = (row: Row): Row => ({ ...row, bulk: true });
const obsolete = (): Row => ({ class: 'come-home', arguments: [], note: 'the kernel no longer has it' });

/** XATTR_SIZE_MAX, XATTR_LIST_MAX. */
const attributeLimit = 65536;
/** Structures that tell their size to the kernel may have up to a page (copy_struct_from_user). */
const structureLimit = 4096;
/** HARD_MSGSIZEMAX of POSIX message queues. */
const queueMessageLimit = 16 * 1024 * 1024;

/** Descriptors and semaphores are counted in ints. */
const tooMany = 2 ** 31;
/** A thousand times what a System V message may have by default (msgmax): nothing larger comes. */
const largestMessage = 16 * 1024 * 1024;
/** struct file_handle: its first word counts the bytes behind the header (MAX_HANDLE_SZ: 128). */
const fileHandle: LengthRule = { countAt: 0, unit: 1, plus: 8, refused: 8 + 128 };

const withTimeout = 'EINTR instead of a restart when the socket has a time-out';

/** MAP_ANONYMOUS set; MAP_SHARED (also a part of MAP_SHARED_VALIDATE) and MAP_HUGETLB clear: hosts differ in huge pages. */
const privateAnonymous: LocalTest = { argument: 3, set: 0x20, clear: 0x01 | 0x40000 };

/**
 * Advice that concerns the body's memory only. Not MADV_REMOVE (9), which punches holes into files, not hardware
 * poison (100, 101), and not guard regions (102, 103), which would be lost on the way home because no map shows them.
 */
const localAdvice: LocalTest = {
  argument: 2,
  anyOf: [0, 1, 2, 3, 4, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25],
};

/** CLOCK_REALTIME, MONOTONIC, MONOTONIC_RAW, both COARSE, BOOTTIME, TAI. The CPU-time clocks count what was used everywhere. */
const worldClocks: LocalTest = { argument: 0, anyOf: [0, 1, 4, 5, 6, 7, 11] };

/** No time-out behind argument 2. (A low half of zero is no address that anybody has; if it were, the wait would only be local.) */
const withoutTimeout: LocalTest = { argument: 2, anyOf: [0] };

/** PR_SET_VMA: names of anonymous mappings, a debugging aid. PR_GET_NAME: both halves have the name. */
const localOptions: LocalTest = { argument: 0, anyOf: [0x53564d41, 16] };

/** ARCH_{SET,GET}_{FS,GS}, GET_CPUID, GET_XCOMP_SUPP, GET_XCOMP_PERM. Others change what the process may use: come home. */
const threadPointers: LocalTest = { argument: 0, anyOf: [0x1001, 0x1002, 0x1003, 0x1004, 0x1011, 0x1021, 0x1022] };

const rows = (sizes: StructSizes): Readonly<Record<SyscallName, Row>> => ({
  // Reading and writing
  read: bulk(eintr(forward(fd, result(size(2)), value), 'EINTR from inotify and from sockets with a time-out')),
  write: bulk(eintr(forward(fd, input(size(2)), value), withTimeout)),
  pread64: bulk(forward(fd, result(size(2)), value, value)),
  pwrite64: bulk(forward(fd, input(size(2)), value, value)),
  readv: noted(bulk(eintr(forward(fd, address, value))), 'the vector travels along; one piece is a plain read'),
  writev: noted(bulk(eintr(forward(fd, address, value))), 'the vector travels along; one piece is a plain write'),
  preadv: noted(
    bulk(forward(fd, address, value, value, value)),
    'the vector travels along; one piece is a plain pread64',
  ),
  pwritev: noted(
    bulk(forward(fd, address, value, value, value)),
    'the vector travels along; one piece is a plain pwrite64',
  ),
  preadv2: bulk(forward(fd, address, value, value, value, value)),
  pwritev2: bulk(forward(fd, address, value, value, value, value)),
  lseek: forward(fd, value, value),
  sendfile: forward(fd, fd, both(bytes(sizes.long)), value),
  splice: forward(fd, both(bytes(sizes.long)), fd, both(bytes(sizes.long)), value, value),
  tee: forward(fd, fd, value, value),
  vmsplice: noted(
    bulk(special(fd, address, value, value)),
    'fills or empties the pipe as it was opened; pages that it keeps get memory of their own',
  ),
  copy_file_range: forward(fd, both(bytes(sizes.long)), fd, both(bytes(sizes.long)), value, value),
  readahead: forward(fd, value, value),
  fadvise64: forward(fd, value, value, value),
  cachestat: forward(fd, input(bytes(sizes.cachestatRange)), output(bytes(sizes.cachestat)), value),

  // Opening, descriptors, pipes
  open: forward(path, value, value),
  openat: forward(fd, path, value, value),
  openat2: forward(fd, path, input(upTo(structureLimit, size(3))), value),
  creat: forward(path, value),
  close: forward(fd),
  close_range: forward(fd, fd, value),
  dup: forward(fd),
  dup2: forward(fd, fd),
  dup3: forward(fd, fd, value),
  fcntl: noted(forward(fd, value, address), 'by command'),
  ioctl: noted(forward(fd, value, address), 'by request'),
  flock: forward(fd, value),
  pipe: forward(output(bytes(2 * sizes.int))),
  pipe2: forward(output(bytes(2 * sizes.int)), value),
  memfd_create: forward(string, value),
  memfd_secret: home(value),
  open_by_handle_at: forward(fd, input(fileHandle), value),
  name_to_handle_at: noted(forward(fd, path, both(fileHandle), both(bytes(sizes.int)), value), 'by flag'),

  // File status, names, directories
  stat: forward(path, output(bytes(sizes.stat))),
  lstat: forward(path, output(bytes(sizes.stat))),
  fstat: forward(fd, output(bytes(sizes.stat))),
  newfstatat: forward(fd, path, output(bytes(sizes.stat)), value),
  statx: forward(fd, path, value, value, output(bytes(sizes.statx))),
  statfs: forward(path, output(bytes(sizes.statfs))),
  fstatfs: forward(fd, output(bytes(sizes.statfs))),
  ustat: forward(value, output(bytes(sizes.ustat))),
  sysfs: home(value, address, address),
  access: forward(path, value),
  faccessat: forward(fd, path, value),
  faccessat2: forward(fd, path, value, value),
  getcwd: forward(result(sizeTo(1, 65536)), value),
  chdir: forward(path),
  fchdir: forward(fd),
  chroot: forward(path),
  getdents: noted(
    forward(fd, result(uint(2)), value),
    'at most 64 KB at a time; the padding between entries is not kept',
  ),
  getdents64: noted(
    forward(fd, result(uint(2)), value),
    'at most 64 KB at a time; the padding between entries is not kept',
  ),
  mkdir: forward(path, value),
  mkdirat: forward(fd, path, value),
  mknod: forward(path, value, value),
  mknodat: forward(fd, path, value, value),
  rmdir: forward(path),
  link: forward(path, path),
  linkat: forward(fd, path, fd, path, value),
  symlink: forward(path, path),
  symlinkat: forward(path, fd, path),
  unlink: forward(path),
  unlinkat: forward(fd, path, value),
  rename: forward(path, path),
  renameat: forward(fd, path, fd, path),
  renameat2: forward(fd, path, fd, path, value),
  readlink: forward(path, result(int(2, 65536)), value),
  readlinkat: forward(fd, path, result(int(3, 65536)), value),
  chmod: forward(path, value),
  fchmod: forward(fd, value),
  fchmodat: forward(fd, path, value),
  fchmodat2: forward(fd, path, value, value),
  chown: forward(path, value, value),
  fchown: forward(fd, value, value),
  lchown: forward(path, value, value),
  fchownat: forward(fd, path, value, value, value),
  umask: forward(value),
  utime: forward(path, input(bytes(sizes.utimbuf))),
  utimes: forward(path, input(bytes(2 * sizes.timeval))),
  futimesat: forward(fd, path, input(bytes(2 * sizes.timeval))),
  utimensat: forward(fd, path, input(bytes(2 * sizes.timespec)), value),
  truncate: forward(path, value),
  ftruncate: forward(fd, value),
  fallocate: forward(fd, value, value, value),
  sync: forward(),
  syncfs: forward(fd),
  fsync: forward(fd),
  fdatasync: forward(fd),
  sync_file_range: forward(fd, value, value, value),
  file_getattr: forward(fd, path, both(upTo(structureLimit, size(3))), value, value),
  file_setattr: forward(fd, path, input(upTo(structureLimit, size(3))), value, value),
  lookup_dcookie: obsolete(),

  // Extended attributes
  getxattr: forward(path, string, result(sizeTo(3, 65536)), value),
  lgetxattr: forward(path, string, result(sizeTo(3, 65536)), value),
  fgetxattr: forward(fd, string, result(sizeTo(3, 65536)), value),
  getxattrat: noted(forward(fd, path, value, string, address, value), 'the value is behind a pointer'),
  setxattr: forward(path, string, input(upTo(attributeLimit, size(3))), value, value),
  lsetxattr: forward(path, string, input(upTo(attributeLimit, size(3))), value, value),
  fsetxattr: forward(fd, string, input(upTo(attributeLimit, size(3))), value, value),
  setxattrat: noted(forward(fd, path, value, string, address, value), 'the value is behind a pointer'),
  listxattr: forward(path, result(sizeTo(2, 65536)), value),
  llistxattr: forward(path, result(sizeTo(2, 65536)), value),
  flistxattr: forward(fd, result(sizeTo(2, 65536)), value),
  listxattrat: forward(fd, path, value, result(sizeTo(4, 65536)), value),
  removexattr: forward(path, string),
  lremovexattr: forward(path, string),
  fremovexattr: forward(fd, string),
  removexattrat: forward(fd, path, value, string),

  // Sockets
  socket: forward(value, value, value),
  socketpair: forward(value, value, value, output(bytes(2 * sizes.int))),
  connect: eintr(forward(fd, input(int(2, sizes.sockaddrStorage)), value), withTimeout),
  bind: forward(fd, input(int(2, sizes.sockaddrStorage)), value),
  listen: forward(fd, value),
  accept: eintr(forward(fd, both(pointedBy(2, sizes.sockaddrStorage)), both(bytes(sizes.int))), withTimeout),
  accept4: eintr(forward(fd, both(pointedBy(2, sizes.sockaddrStorage)), both(bytes(sizes.int)), value), withTimeout),
  getsockname: forward(fd, both(pointedBy(2, sizes.sockaddrStorage)), both(bytes(sizes.int))),
  getpeername: forward(fd, both(pointedBy(2, sizes.sockaddrStorage)), both(bytes(sizes.int))),
  sendto: bulk(
    eintr(forward(fd, input(size(2)), value, value, input(int(5, sizes.sockaddrStorage)), value), withTimeout),
  ),
  recvfrom: bulk(
    eintr(
      forward(fd, result(size(2)), value, value, both(pointedBy(5, sizes.sockaddrStorage)), both(bytes(sizes.int))),
      withTimeout,
    ),
  ),
  sendmsg: bulk(eintr(forward(fd, address, value), withTimeout)),
  recvmsg: bulk(eintr(forward(fd, address, value), withTimeout)),
  sendmmsg: bulk(eintr(forward(fd, address, value, value), withTimeout)),
  recvmmsg: bulk(eintr(forward(fd, address, value, value, both(bytes(sizes.timespec))), withTimeout)),
  shutdown: forward(fd, value),
  setsockopt: noted(forward(fd, value, value, input(int(4)), value), 'options with pointers inside come home'),
  getsockopt: noted(
    forward(fd, value, value, both(pointedBy(4)), both(bytes(sizes.int))),
    'options with pointers inside come home',
  ),

  // Waiting for events
  poll: forward(both(upTo(tooMany * sizes.pollfd, uints(1, sizes.pollfd))), value, value),
  ppoll: noted(
    forward(
      both(upTo(tooMany * sizes.pollfd, uints(1, sizes.pollfd))),
      value,
      both(bytes(sizes.timespec)),
      address,
      value,
    ),
    'special with a signal mask',
  ),
  select: forward(value, fdSet, fdSet, fdSet, both(bytes(sizes.timeval))),
  pselect6: noted(
    forward(value, fdSet, fdSet, fdSet, both(bytes(sizes.timespec)), address),
    'special with a signal mask',
  ),
  epoll_create: forward(value),
  epoll_create1: forward(value),
  epoll_ctl: forward(fd, value, fd, input(bytes(sizes.epollEvent))),
  epoll_wait: eintr(forward(fd, result(ints(2, sizes.epollEvent)), value, value)),
  epoll_pwait: eintr(
    forward(fd, result(ints(2, sizes.epollEvent)), value, value, address, value),
    'special with a signal mask',
  ),
  epoll_pwait2: eintr(
    forward(fd, result(ints(2, sizes.epollEvent)), value, input(bytes(sizes.timespec)), address, value),
    'special with a signal mask',
  ),
  epoll_ctl_old: obsolete(),
  epoll_wait_old: obsolete(),
  eventfd: forward(value),
  eventfd2: forward(value, value),
  signalfd: noted(home(fd, address, value), 'from now on the signals that it reads must be kept at home'),
  signalfd4: noted(home(fd, address, value, value), 'from now on the signals that it reads must be kept at home'),
  inotify_init: forward(),
  inotify_init1: forward(value),
  inotify_add_watch: forward(fd, path, value),
  inotify_rm_watch: forward(fd, value),
  fanotify_init: forward(value, value),
  fanotify_mark: forward(fd, value, value, fd, path),

  // Time and timers
  gettimeofday: local(output(bytes(sizes.timeval)), output(bytes(sizes.timezone))),
  settimeofday: home(address, address),
  time: local(output(bytes(sizes.long))),
  clock_gettime: {
    ...special(value, output(bytes(sizes.timespec))),
    localWhen: worldClocks,
    note: 'trapped for the CPU-time clocks',
  },
  clock_getres: {
    ...special(value, output(bytes(sizes.timespec))),
    localWhen: worldClocks,
    note: 'trapped for the CPU-time clocks',
  },
  clock_settime: home(value, address),
  clock_adjtime: forward(value, both(bytes(sizes.timex))),
  adjtimex: forward(both(bytes(sizes.timex))),
  nanosleep: forward(input(bytes(sizes.timespec)), both(bytes(sizes.timespec))),
  clock_nanosleep: noted(
    forward(value, value, input(bytes(sizes.timespec)), both(bytes(sizes.timespec))),
    'CPU-time clocks come home',
  ),
  alarm: forward(value),
  setitimer: noted(
    forward(value, input(bytes(sizes.itimerval)), output(bytes(sizes.itimerval))),
    'timers of CPU time run where the body is',
  ),
  getitimer: noted(forward(value, output(bytes(sizes.itimerval))), 'timers of CPU time run where the body is'),
  timer_create: noted(
    special(value, input(bytes(sizes.sigevent)), output(bytes(sizes.int))),
    'runs where the body is; the id is given at home',
  ),
  timer_settime: ofHeldSignals(local(value, value, input(bytes(sizes.itimerspec)), output(bytes(sizes.itimerspec)))),
  timer_gettime: ofHeldSignals(local(value, output(bytes(sizes.itimerspec)))),
  timer_getoverrun: ofHeldSignals(local(value)),
  timer_delete: special(value),
  timerfd_create: forward(value, value),
  timerfd_settime: forward(fd, value, input(bytes(sizes.itimerspec)), output(bytes(sizes.itimerspec))),
  timerfd_gettime: forward(fd, output(bytes(sizes.itimerspec))),
  times: noted(special(output(bytes(sizes.tms))), 'counts CPU time used everywhere'),
  getrusage: noted(special(value, output(bytes(sizes.rusage))), 'counts CPU time used everywhere'),

  // Identity
  getpid: local(),
  gettid: local(),
  getppid: forward(),
  getpgid: forward(value),
  getpgrp: forward(),
  getsid: forward(value),
  setpgid: forward(value, value),
  setsid: forward(),
  getuid: forward(),
  geteuid: forward(),
  getgid: forward(),
  getegid: forward(),
  getresuid: forward(output(bytes(sizes.int)), output(bytes(sizes.int)), output(bytes(sizes.int))),
  getresgid: forward(output(bytes(sizes.int)), output(bytes(sizes.int)), output(bytes(sizes.int))),
  getgroups: forward(value, result(ints(0, sizes.int))),
  setuid: forward(value),
  setgid: forward(value),
  setreuid: forward(value, value),
  setregid: forward(value, value),
  setresuid: forward(value, value, value),
  setresgid: forward(value, value, value),
  setfsuid: forward(value),
  setfsgid: forward(value),
  setgroups: forward(value, input(upTo(65536 * sizes.int, ints(0, sizes.int)))),
  capget: forward(both(bytes(sizes.capabilityHeader)), both(bytes(sizes.capabilityData))),
  capset: forward(both(bytes(sizes.capabilityHeader)), input(bytes(sizes.capabilityData))),
  uname: forward(output(bytes(sizes.utsname))),
  sysinfo: forward(output(bytes(sizes.sysinfo))),
  personality: noted(forward(value), 'asking only; a change comes home'),
  prctl: { ...special(value, value, value, value, value), localWhen: localOptions, note: 'by option' },
  arch_prctl: { ...home(value, address), localWhen: threadPointers, note: 'thread pointers are local' },

  // Scheduling and limits
  sched_yield: local(),
  getcpu: local(output(bytes(sizes.int)), output(bytes(sizes.int)), address),
  sched_setaffinity: forward(value, value, input(uint(1, 1024))),
  sched_getaffinity: forward(value, value, result(uint(1, 1024))),
  sched_setparam: forward(value, input(bytes(sizes.schedParam))),
  sched_getparam: forward(value, output(bytes(sizes.schedParam))),
  sched_setscheduler: noted(forward(value, value, input(bytes(sizes.schedParam))), 'real-time classes come home'),
  sched_getscheduler: forward(value),
  sched_get_priority_max: forward(value),
  sched_get_priority_min: forward(value),
  sched_rr_get_interval: forward(value, output(bytes(sizes.timespec))),
  sched_setattr: noted(forward(value, both(ownSize(48, structureLimit)), value), 'real-time classes come home'),
  sched_getattr: forward(value, both(upTo(structureLimit, uint(2))), value, value),
  getpriority: forward(value, value),
  setpriority: forward(value, value, value),
  ioprio_get: forward(value, value),
  ioprio_set: forward(value, value, value),
  getrlimit: forward(value, output(bytes(sizes.rlimit))),
  setrlimit: special(value, input(bytes(sizes.rlimit))),
  prlimit64: special(value, value, input(bytes(sizes.rlimit)), output(bytes(sizes.rlimit))),

  // Signals
  rt_sigprocmask: ofHeldSignals(local(value, address, address, value)),
  rt_sigpending: ofHeldSignals(local(address, value)),
  rt_sigsuspend: ofHeldSignals(local(address, value)),
  rt_sigtimedwait: {
    ...ofHeldSignals(eintr(special(address, address, address, value))),
    localWhen: withoutTimeout,
    note: 'trapped with a time-out, so that it is known when it began',
  },
  rt_sigreturn: local(),
  sigaltstack: local(address, address),
  pause: local(),
  rt_sigaction: special(value, input(bytes(sizes.sigaction)), output(bytes(sizes.sigaction)), value),
  kill: special(value, value),
  tkill: special(value, value),
  tgkill: special(value, value, value),
  rt_sigqueueinfo: special(value, value, input(bytes(sizes.siginfo))),
  rt_tgsigqueueinfo: special(value, value, value, input(bytes(sizes.siginfo))),
  restart_syscall: noted(special(), "the interrupted call's restart block is the deputy's"),

  // Processes and threads
  clone: special(value, address, address, address, address),
  clone3: special(address, value),
  fork: special(),
  vfork: special(),
  execve: special(path, address, address),
  execveat: special(fd, path, address, address, value),
  exit: special(value),
  exit_group: special(value),
  wait4: forward(value, both(bytes(sizes.int)), value, both(bytes(sizes.rusage))),
  waitid: forward(value, value, both(bytes(sizes.siginfo)), value, both(bytes(sizes.rusage))),
  set_tid_address: local(address),
  set_robust_list: local(address, value),
  get_robust_list: local(value, address, address),
  rseq: local(address, value, value, value),
  futex: local(address, value, value, address, address, value),
  futex_waitv: local(address, value, value, address, value),
  futex_wake: local(address, value, value, value),
  futex_wait: local(address, value, value, value, address, value),
  futex_requeue: local(address, value, value, value),
  membarrier: local(value, value, value),
  set_thread_area: home(address),
  get_thread_area: home(address),
  modify_ldt: home(value, address, value),
  pidfd_open: forward(value, value),
  pidfd_getfd: forward(fd, fd, value),
  pidfd_send_signal: forward(fd, value, input(bytes(sizes.siginfo)), value),
  unshare: home(value),
  setns: home(fd, value),
  ptrace: home(value, value, address, address),
  kcmp: noted(forward(value, value, value, value, value), 'KCMP_EPOLL_TFD comes home'),
  process_vm_readv: home(value, address, value, address, value, value),
  process_vm_writev: home(value, address, value, address, value, value),
  process_madvise: home(fd, address, value, value, value),
  process_mrelease: forward(fd, value),
  seccomp: home(value, value, address),

  // Memory
  mmap: {
    ...special(address, value, value, value, fd, value),
    localWhen: privateAnonymous,
    note: 'private anonymous memory is local',
  },
  munmap: local(address, value),
  mprotect: local(address, value, value),
  mremap: local(address, value, value, value, address),
  brk: local(address),
  madvise: { ...home(address, value, value), localWhen: localAdvice, note: 'by advice; guard regions are special' },
  mincore: local(address, value, address),
  mlock: local(address, value),
  mlock2: local(address, value, value),
  munlock: local(address, value),
  mlockall: local(value),
  munlockall: local(),
  msync: special(address, value, value),
  remap_file_pages: home(address, value, value, value, value),
  mseal: home(address, value, value),
  map_shadow_stack: home(address, value, value),
  pkey_mprotect: home(address, value, value, value),
  pkey_alloc: home(value, value),
  pkey_free: home(value),
  mbind: noted(special(address, value, value, address, value, value), 'local where it names no node of the machine'),
  set_mempolicy: home(value, address, value),
  get_mempolicy: home(address, address, value, address, value),
  set_mempolicy_home_node: home(address, value, value, value),
  migrate_pages: home(value, value, address, address),
  move_pages: home(value, value, address, address, address, value),
  userfaultfd: home(value),
  getrandom: local(address, value, value),

  // System V and POSIX IPC
  shmget: forward(value, value, value),
  shmat: special(value, value, value),
  shmdt: special(value),
  shmctl: noted(forward(value, value, address), 'by command'),
  semget: forward(value, value, value),
  semop: eintr(forward(value, input(upTo(tooMany * sizes.sembuf, uints(2, sizes.sembuf))), value)),
  semtimedop: eintr(
    forward(value, input(upTo(tooMany * sizes.sembuf, uints(2, sizes.sembuf))), value, input(bytes(sizes.timespec))),
  ),
  semctl: noted(forward(value, value, value, address), 'by command; GETALL and SETALL are special'),
  msgget: forward(value, value),
  msgsnd: forward(value, input({ argument: 2, unit: 1, plus: sizes.long, refused: tooMany }), value, value),
  msgrcv: forward(value, result({ argument: 2, unit: 1, plus: sizes.long, max: largestMessage }), value, value, value),
  msgctl: noted(forward(value, value, address), 'by command'),
  mq_open: forward(string, value, value, input(bytes(sizes.messageQueueAttributes))),
  mq_unlink: forward(string),
  mq_timedsend: forward(fd, input(upTo(queueMessageLimit, size(2))), value, value, input(bytes(sizes.timespec))),
  mq_timedreceive: forward(
    fd,
    result(sizeTo(2, queueMessageLimit)),
    value,
    output(bytes(sizes.int)),
    input(bytes(sizes.timespec)),
  ),
  mq_notify: noted(forward(fd, input(bytes(sizes.sigevent))), 'with SIGEV_THREAD the cookie travels along'),
  mq_getsetattr: forward(fd, input(bytes(sizes.messageQueueAttributes)), output(bytes(sizes.messageQueueAttributes))),

  // Asynchronous I/O
  io_setup: home(value, address),
  io_destroy: home(value),
  io_getevents: eintr(home(value, value, value, address, address)),
  io_pgetevents: eintr(home(value, value, value, address, address, address)),
  io_submit: home(value, value, address),
  io_cancel: home(value, address, address),
  io_uring_setup: home(value, address),
  io_uring_enter: eintr(home(fd, value, value, value, address, value)),
  io_uring_register: home(fd, value, address, value),

  // Mounts
  mount: home(path, path, string, value, address),
  umount2: home(path, value),
  pivot_root: home(path, path),
  open_tree: home(fd, path, value),
  open_tree_attr: home(fd, path, value, address, value),
  move_mount: home(fd, path, fd, path, value),
  fsopen: home(string, value),
  fsconfig: home(fd, value, string, address, value),
  fsmount: home(fd, value, value),
  fspick: home(fd, path, value),
  mount_setattr: home(fd, path, value, address, value),
  statmount: forward(input(ownSize(24, structureLimit)), both(size(2)), value, value),
  listmount: forward(input(ownSize(24, structureLimit)), result({ argument: 2, unit: sizes.long }), value, value),
  quotactl: home(value, path, value, address),
  quotactl_fd: home(fd, value, value, address),
  swapon: home(path, value),
  swapoff: home(path),
  acct: home(path),

  // Administration, tracing, security
  syslog: forward(value, both(int(2)), value),
  reboot: home(value, value, value, address),
  sethostname: forward(input(upTo(64, int(1))), value),
  setdomainname: forward(input(upTo(64, int(1))), value),
  vhangup: home(),
  iopl: home(value),
  ioperm: home(value, value, value),
  init_module: home(address, value, string),
  finit_module: home(fd, string, value),
  delete_module: home(string, value),
  kexec_load: home(value, value, address, value),
  kexec_file_load: home(fd, fd, value, string, value),
  perf_event_open: home(address, value, value, fd, value),
  bpf: home(value, address, value),
  uprobe: home(),
  uretprobe: home(),
  add_key: home(string, string, address, value, value),
  request_key: home(string, string, string, value),
  keyctl: home(value, value, value, value, value),
  landlock_create_ruleset: home(address, value, value),
  landlock_add_rule: home(fd, value, address, value),
  landlock_restrict_self: home(fd, value),
  lsm_get_self_attr: forward(value, both(pointedBy(2)), both(bytes(sizes.int)), value),
  lsm_set_self_attr: home(value, address, value, value),
  lsm_list_modules: forward(both(pointedBy(1)), both(bytes(sizes.int)), value),

  // Names without a kernel function behind them any more
  uselib: obsolete(),
  _sysctl: obsolete(),
  create_module: obsolete(),
  get_kernel_syms: obsolete(),
  query_module: obsolete(),
  nfsservctl: obsolete(),
  getpmsg: obsolete(),
  putpmsg: obsolete(),
  afs_syscall: obsolete(),
  tuxcall: obsolete(),
  security: obsolete(),
  vserver: obsolete(),
});

function build(architecture: Architecture): ReadonlyMap<number, SyscallDescription> {
  const table = rows(structSizes(architecture));
  const found = syscallNames.flatMap((name): SyscallDescription[] => {
    const nr = numberOn(name, architecture);
    return nr === undefined ? [] : [{ name, nr, ...table[name] }];
  });
  return new Map(found.sort((a, b) => a.nr - b.nr).map((description) => [description.nr, description]));
}

const tables: Readonly<Record<Architecture, ReadonlyMap<number, SyscallDescription>>> = {
  x64: build('x64'),
  arm64: build('arm64'),
};
