/**
 * The second half of the table: calls whose meaning lies in a command argument. Each maps a command to the kind of the
 * argument that the command reads or writes; what is not listed brings the process home. ioctl has a file of its own.
 *
 * Sources: linux/fcntl.h, linux/prctl.h, linux/sem.h, linux/msg.h, linux/shm.h.
 */

import type { ArgumentKind } from './syscalls.ts';

const value: ArgumentKind = { kind: 'value' };
const input = (bytes: number): ArgumentKind => ({ kind: 'in', length: { bytes } });
const output = (bytes: number): ArgumentKind => ({ kind: 'out', length: { bytes }, filled: 'whole' });
const both = (bytes: number): ArgumentKind => ({ kind: 'inout', length: { bytes } });

type Commands = ReadonlyMap<number, ArgumentKind>;

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
 * Kind of argument 1 of prctl, by option: those that concern what the deputy is to the outside. PR_GET_NAME
 * (16) is local.
 */
export const prctlOptions: Commands = new Map<number, ArgumentKind>([
  [1, value], // PR_SET_PDEATHSIG
  [2, output(4)], // PR_GET_PDEATHSIG
  [3, value], // PR_GET_DUMPABLE
  [4, value], // PR_SET_DUMPABLE
  [7, value], // PR_GET_KEEPCAPS
  [8, value], // PR_SET_KEEPCAPS
  [13, value], // PR_GET_TIMING
  [14, value], // PR_SET_TIMING
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
  [52, value], // PR_GET_SPECULATION_CTRL
  [57, value], // PR_SET_IO_FLUSHER
  [58, value], // PR_GET_IO_FLUSHER
  [66, value], // PR_GET_MDWE
  [68, value], // PR_GET_MEMORY_MERGE
  [0x59616d61, value], // PR_SET_PTRACER
]);

/** prctl options that the engine does itself: PR_SET_NAME, for both halves carry the name. */
export const specialPrctlOptions: ReadonlySet<number> = new Set([15]);

const [removeId, setId, statId, infoOfIds] = [0, 1, 2, 3];

/** Kind of argument 3 of semctl, by command. GETALL and SETALL need to know how many semaphores the set has. */
export const semctlCommands: Commands = new Map<number, ArgumentKind>([
  [removeId, value],
  [setId, input(104)],
  [statId, output(104)],
  [infoOfIds, output(40)],
  [11, value], // GETPID
  [12, value], // GETVAL
  [14, value], // GETNCNT
  [15, value], // GETZCNT
  [16, value], // SETVAL
  [18, output(104)], // SEM_STAT
  [19, output(40)], // SEM_INFO
  [20, output(104)], // SEM_STAT_ANY
]);

/** semctl commands that the engine makes in two steps: GETALL, SETALL. */
export const wholeSetCommands: ReadonlySet<number> = new Set([13, 17]);

/** Kind of argument 2 of msgctl, by command. */
export const msgctlCommands: Commands = new Map<number, ArgumentKind>([
  [removeId, value],
  [setId, input(120)],
  [statId, output(120)],
  [infoOfIds, output(32)],
  [11, output(120)], // MSG_STAT
  [12, output(32)], // MSG_INFO
  [13, output(120)], // MSG_STAT_ANY
]);

/** Kind of argument 2 of shmctl, by command. */
export const shmctlCommands: Commands = new Map<number, ArgumentKind>([
  [removeId, value],
  [setId, input(112)],
  [statId, output(112)],
  [infoOfIds, output(72)],
  [11, value], // SHM_LOCK
  [12, value], // SHM_UNLOCK
  [13, output(112)], // SHM_STAT
  [14, output(48)], // SHM_INFO
  [15, output(112)], // SHM_STAT_ANY
]);

/** [level, option] pairs whose value is a filter: a count, and a pointer to so many instructions. */
export const filterSocketOptions: ReadonlySet<string> = new Set([
  '1:26', // SO_ATTACH_FILTER
  '1:51', // SO_ATTACH_REUSEPORT_CBPF
]);

/** [level, option] pairs whose value holds other pointers, or that let the program map the kernel's memory. */
export const pointerSocketOptions: ReadonlySet<string> = new Set([
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
