/**
 * The second half of the table: calls whose meaning lies in a command argument. Each maps a command to the kind of the
 * argument that the command reads or writes; what is not listed brings the process home.
 *
 * Sources: asm-generic/ioctls.h, linux/sockios.h, linux/fs.h, linux/fcntl.h, linux/prctl.h; sizes are what the kernel's
 * handler copies, which is not always what the request's number claims (FS_IOC_GETFLAGS says long and moves an int).
 */

import type { ArgumentKind } from './syscalls.ts';

const value: ArgumentKind = { kind: 'value' };
const input = (bytes: number): ArgumentKind => ({ kind: 'in', length: { bytes } });
const output = (bytes: number): ArgumentKind => ({ kind: 'out', length: { bytes }, filled: 'whole' });
const both = (bytes: number): ArgumentKind => ({ kind: 'inout', length: { bytes } });

type Commands = ReadonlyMap<number, ArgumentKind>;

const ifreq = both(40);

/** Kind of argument 2 of ioctl, by request. */
export const ioctlRequests: Commands = new Map<number, ArgumentKind>([
  // Terminals
  [0x5401, output(36)], // TCGETS
  [0x5402, input(36)], // TCSETS
  [0x5403, input(36)], // TCSETSW
  [0x5404, input(36)], // TCSETSF
  [0x5405, output(18)], // TCGETA
  [0x5406, input(18)], // TCSETA
  [0x5407, input(18)], // TCSETAW
  [0x5408, input(18)], // TCSETAF
  [0x802c542a, output(44)], // TCGETS2
  [0x402c542b, input(44)], // TCSETS2
  [0x402c542c, input(44)], // TCSETSW2
  [0x402c542d, input(44)], // TCSETSF2
  [0x5409, value], // TCSBRK
  [0x540a, value], // TCXONC
  [0x540b, value], // TCFLSH
  [0x5425, value], // TCSBRKP
  [0x5427, value], // TIOCSBRK
  [0x5428, value], // TIOCCBRK
  [0x540c, value], // TIOCEXCL
  [0x540d, value], // TIOCNXCL
  [0x540e, value], // TIOCSCTTY
  [0x5422, value], // TIOCNOTTY
  [0x540f, output(4)], // TIOCGPGRP
  [0x5410, input(4)], // TIOCSPGRP
  [0x5429, output(4)], // TIOCGSID
  [0x5411, output(4)], // TIOCOUTQ, SIOCOUTQ
  [0x5412, input(1)], // TIOCSTI
  [0x5413, output(8)], // TIOCGWINSZ
  [0x5414, input(8)], // TIOCSWINSZ
  [0x5415, output(4)], // TIOCMGET
  [0x5416, input(4)], // TIOCMBIS
  [0x5417, input(4)], // TIOCMBIC
  [0x5418, input(4)], // TIOCMSET
  [0x5419, output(4)], // TIOCGSOFTCAR
  [0x541a, input(4)], // TIOCSSOFTCAR
  [0x5420, input(4)], // TIOCPKT
  [0x5423, input(4)], // TIOCSETD
  [0x5424, output(4)], // TIOCGETD
  [0x80045430, output(4)], // TIOCGPTN
  [0x40045431, input(4)], // TIOCSPTLCK
  [0x80045438, output(4)], // TIOCGPKT
  [0x80045439, output(4)], // TIOCGPTLCK
  [0x80045440, output(4)], // TIOCGEXCL
  [0x5441, value], // TIOCGPTPEER
  [0x40045436, value], // TIOCSIG

  // Any descriptor
  [0x541b, output(4)], // FIONREAD, TIOCINQ, SIOCINQ
  [0x5421, input(4)], // FIONBIO
  [0x5450, value], // FIONCLEX
  [0x5451, value], // FIOCLEX
  [0x5452, input(4)], // FIOASYNC
  [0x5460, output(8)], // FIOQSIZE

  // Files, block devices, random, timerfd, namespaces
  [0x80086601, output(4)], // FS_IOC_GETFLAGS
  [0x40086602, input(4)], // FS_IOC_SETFLAGS
  [0x80087601, output(4)], // FS_IOC_GETVERSION
  [0x801c581f, output(28)], // FS_IOC_FSGETXATTR
  [0x401c5820, input(28)], // FS_IOC_FSSETXATTR
  [0x40049409, value], // FICLONE
  [0x4020940d, input(32)], // FICLONERANGE
  [0x1260, output(8)], // BLKGETSIZE
  [0x1268, output(4)], // BLKSSZGET
  [0x80081270, output(4)], // BLKBSZGET
  [0x80081272, output(8)], // BLKGETSIZE64
  [0x127b, output(4)], // BLKPBSZGET
  [0x80045200, output(4)], // RNDGETENTCNT
  [0x40085400, input(8)], // TFD_IOC_SET_TICKS
  [0xb701, value], // NS_GET_USERNS
  [0xb702, value], // NS_GET_PARENT
  [0xb703, value], // NS_GET_NSTYPE
  [0xb704, output(4)], // NS_GET_OWNER_UID

  // Sockets and interfaces
  [0x8901, input(4)], // FIOSETOWN
  [0x8902, input(4)], // SIOCSPGRP
  [0x8903, output(4)], // FIOGETOWN
  [0x8904, output(4)], // SIOCGPGRP
  [0x8905, output(4)], // SIOCATMARK
  [0x8910, ifreq], // SIOCGIFNAME
  [0x8913, ifreq], // SIOCGIFFLAGS
  [0x8915, ifreq], // SIOCGIFADDR
  [0x8917, ifreq], // SIOCGIFDSTADDR
  [0x8919, ifreq], // SIOCGIFBRDADDR
  [0x891b, ifreq], // SIOCGIFNETMASK
  [0x891d, ifreq], // SIOCGIFMETRIC
  [0x8921, ifreq], // SIOCGIFMTU
  [0x8927, ifreq], // SIOCGIFHWADDR
  [0x8933, ifreq], // SIOCGIFINDEX
  [0x8942, ifreq], // SIOCGIFTXQLEN
]);

/** Kind of argument 2 of fcntl, by command. */
export const fcntlCommands: Commands = new Map<number, ArgumentKind>([
  [0, value], // F_DUPFD
  [1, value], // F_GETFD
  [2, value], // F_SETFD
  [3, value], // F_GETFL
  [4, value], // F_SETFL
  [5, both(32)], // F_GETLK
  [6, input(32)], // F_SETLK
  [7, input(32)], // F_SETLKW
  [8, value], // F_SETOWN
  [9, value], // F_GETOWN
  [10, value], // F_SETSIG
  [11, value], // F_GETSIG
  [15, input(8)], // F_SETOWN_EX
  [16, output(8)], // F_GETOWN_EX
  [17, output(8)], // F_GETOWNER_UIDS
  [36, both(32)], // F_OFD_GETLK
  [37, input(32)], // F_OFD_SETLK
  [38, input(32)], // F_OFD_SETLKW
  [1024, value], // F_SETLEASE
  [1025, value], // F_GETLEASE
  [1026, value], // F_NOTIFY
  [1027, value], // F_DUPFD_QUERY
  [1028, value], // F_CREATED_QUERY
  [1030, value], // F_DUPFD_CLOEXEC
  [1031, value], // F_SETPIPE_SZ
  [1032, value], // F_GETPIPE_SZ
  [1033, value], // F_ADD_SEALS
  [1034, value], // F_GET_SEALS
  [1035, output(8)], // F_GET_RW_HINT
  [1036, input(8)], // F_SET_RW_HINT
  [1037, output(8)], // F_GET_FILE_RW_HINT
  [1038, input(8)], // F_SET_FILE_RW_HINT
]);

/**
 * Kind of argument 1 of prctl, by option: those that concern what the deputy is to the outside. PR_SET_NAME and
 * PR_GET_NAME (15, 16) are special, for both halves carry the name.
 */
export const prctlOptions: Commands = new Map<number, ArgumentKind>([
  [1, value], // PR_SET_PDEATHSIG
  [2, output(4)], // PR_GET_PDEATHSIG
  [3, value], // PR_GET_DUMPABLE
  [4, value], // PR_SET_DUMPABLE
  [7, value], // PR_GET_KEEPCAPS
  [8, value], // PR_SET_KEEPCAPS
  [13, value], // PR_GET_TIMING
  [21, value], // PR_GET_SECCOMP: the deputy's, which is the program's own
  [23, value], // PR_CAPBSET_READ
  [24, value], // PR_CAPBSET_DROP
  [27, value], // PR_GET_SECUREBITS
  [28, value], // PR_SET_SECUREBITS
  [29, value], // PR_SET_TIMERSLACK
  [30, value], // PR_GET_TIMERSLACK
  [33, value], // PR_MCE_KILL
  [34, value], // PR_MCE_KILL_GET
  [36, value], // PR_SET_CHILD_SUBREAPER
  [37, output(4)], // PR_GET_CHILD_SUBREAPER
  [38, value], // PR_SET_NO_NEW_PRIVS
  [39, value], // PR_GET_NO_NEW_PRIVS
  [42, value], // PR_GET_THP_DISABLE
  [47, value], // PR_CAP_AMBIENT
  [0x59616d61, value], // PR_SET_PTRACER
]);

/** prctl options that the engine does itself. */
export const specialPrctlOptions: ReadonlySet<number> = new Set([15, 16]);

/** semctl commands whose arguments and result are plain numbers: IPC_RMID, GETPID, GETVAL, GETNCNT, GETZCNT, SETVAL. */
export const semctlCommands: ReadonlySet<number> = new Set([0, 11, 12, 14, 15, 16]);

/** shmctl and msgctl: IPC_RMID only. */
export const removalCommands: ReadonlySet<number> = new Set([0]);

/** [level, option] pairs whose value holds pointers, or that let the kernel keep or map the program's memory. */
export const pointerSocketOptions: ReadonlySet<string> = new Set([
  '1:26', // SO_ATTACH_FILTER, SO_GET_FILTER
  '1:51', // SO_ATTACH_REUSEPORT_CBPF
  '1:60', // SO_ZEROCOPY: the kernel reads the buffer after the call has returned
  '0:64', // IPT_SO_SET_REPLACE, IPT_SO_GET_INFO
  '0:65', // IPT_SO_SET_ADD_COUNTERS, IPT_SO_GET_ENTRIES
  '0:96', // ARPT_SO_SET_REPLACE
  '41:64', // IP6T_SO_SET_REPLACE
  '0:128', // EBT_SO_SET_ENTRIES
  '6:35', // TCP_ZEROCOPY_RECEIVE
  '132:111', // SCTP_SOCKOPT_CONNECTX3
  '263:5', // PACKET_RX_RING, which the program then maps
  '263:13', // PACKET_TX_RING
  '263:22', // PACKET_FANOUT_DATA
]);
