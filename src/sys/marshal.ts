/**
 * Turns one trapped call of a body into a plan: forward it with these buffers, let the engine do it, or come home.
 * Pure: the body's memory is only read, through `BodyMemory`, and only for strings, vectors, lengths and structures with
 * pointers; the contents of other buffers are moved by the engine afterwards.
 *
 * Every answer is home's: null pointers and empty buffers travel as they are, and for a pointer that leads nowhere
 * (here or when the engine reads) goes one that leads nowhere at home, so that home's kernel says which error comes first.
 */

import {
  asInt,
  asUnsigned,
  badAddress,
  comeHome,
  largestTransfer,
  planBuffer,
  readStructure,
  type BodyMemory,
  type BufferPlan,
  type Plan,
} from './call_plan.ts';
import { ioctlRequests, terminalChanges } from './ioctl_requests.ts';
import { planAttribute, planInterfaceList, planQueueNotify, planSocketFilter } from './marshal_indirect.ts';
import { planMessages } from './marshal_messages.ts';
import { keepsPages, planPages, planVector } from './marshal_vectors.ts';
import {
  fcntlCommands,
  filterSocketOptions,
  msgctlCommands,
  pointerSocketOptions,
  prctlOptions,
  semctlCommands,
  shmctlCommands,
  specialPrctlOptions,
  wholeSetCommands,
} from './syscall_commands.ts';
import { nativeArchitecture, type Architecture } from './syscall_numbers.ts';
import { describe, numberOf, type ArgumentKind, type SyscallDescription } from './syscalls.ts';

export { badAddress, noArgument } from './call_plan.ts';
export type { BodyMemory, BufferPlan, ForwardPlan, Part, Plan, PointerPlan, Segment } from './call_plan.ts';

interface Call {
  readonly description: SyscallDescription;
  readonly args: readonly bigint[];
  readonly memory: BodyMemory;
  readonly architecture: Architecture;
}

/**
 * The plan for call `nr` with `args` (up to six, as seccomp reports them). The caller has checked that the call was made
 * in the native convention: `seccomp_data.arch` is not known here.
 */
export function planCall(
  nr: number,
  args: readonly bigint[],
  memory: BodyMemory,
  architecture: Architecture = nativeArchitecture,
): Plan {
  const description = describe(nr, architecture);
  if (description === undefined) return comeHome(`unknown system call ${nr}`);
  const call = { description, args: sixArguments(args), memory, architecture };
  return refinements[description.name]?.(call) ?? planByClass(call);
}

/**
 * The plan for making a call at home whatever its class, as its argument kinds say. For the engine, when a special call
 * turns out to need no more than that (a getrusage of children, an rt_sigaction to be mirrored).
 */
export function planForwarded(
  nr: number,
  args: readonly bigint[],
  memory: BodyMemory,
  architecture: Architecture = nativeArchitecture,
): Plan {
  const description = describe(nr, architecture);
  if (description === undefined) return comeHome(`unknown system call ${nr}`);
  return forward({ description, args: sixArguments(args), memory, architecture });
}

/** The plan for a vmsplice, once it is known whether its pipe is to be filled (`in`) or emptied. */
export function planVmsplice(args: readonly bigint[], memory: BodyMemory, direction: 'in' | 'out'): Plan {
  const description = describe(numberOf('vmsplice'));
  if (description === undefined) return comeHome('vmsplice');
  return planPages({ description, args: sixArguments(args), memory, architecture: nativeArchitecture }, direction);
}

/**
 * Whether an absolute path leads into a process's own directory of /proc, where the deputy's own entry would show the
 * deputy: /proc/self, /proc/thread-self, or /proc/N for one of `ids` (the process's pid and thread ids). Works on the
 * text only; links are not followed.
 */
export function isProcSelf(path: string, ...ids: readonly number[]): boolean {
  if (!path.startsWith('/')) return false;
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') parts.pop();
    else parts.push(part);
  }
  const [root, owner] = parts;
  if (root !== 'proc' || owner === undefined) return false;
  return owner === 'self' || owner === 'thread-self' || ids.some((id) => owner === String(id));
}

function sixArguments(args: readonly bigint[]): readonly bigint[] {
  return Array.from({ length: 6 }, (_, i) => BigInt.asUintN(64, args[i] ?? 0n));
}

function planByClass(call: Call): Plan {
  const { description } = call;
  switch (description.class) {
    case 'forward':
      return forward(call);
    case 'special':
      return special(call);
    case 'local':
      return description.heldSignals ? special(call) : comeHome(`${description.name}, which should not have trapped`);
    case 'come-home':
      return comeHome(description.name);
  }
}

function special({ description }: Call): Plan {
  return { kind: 'special', name: description.name };
}

/** Plans `kinds` (default: the table's own) into buffers. */
function forward(call: Call, kinds: readonly ArgumentKind[] = call.description.arguments): Plan {
  const { description, memory } = call;
  const bulk = description.bulk === true;
  const args = [...call.args];
  const buffers: BufferPlan[] = [];
  for (const [index, kind] of kinds.entries()) {
    const planned = planBuffer(kind, index, { args: call.args, memory, bulk });
    if ('home' in planned) return comeHome(`${description.name} with ${planned.home}`);
    if ('bad' in planned) args[index] = badAddress;
    else buffers.push(...planned.ok);
  }
  if (bulk && args[2] > BigInt(largestTransfer)) args[2] = BigInt(largestTransfer);
  return { kind: 'forward', nr: description.nr, args, buffers };
}

/** The call with one argument replaced. */
function withArgument(call: Call, index: number, argument: bigint): Call {
  return { ...call, args: call.args.with(index, argument) };
}

/** A multiplexed call: argument `carrier` is what the command says, and an unlisted command comes home. */
function byCommand(
  call: Call,
  commands: ReadonlyMap<number, ArgumentKind>,
  at: { command: number; carrier: number },
): Plan {
  const command = asUnsigned(call.args[at.command]);
  const kind = commands.get(command);
  if (kind === undefined) return comeHome(`${call.description.name} 0x${command.toString(16)}`);
  return forward(
    call,
    call.args.map((_, i) => (i === at.carrier ? kind : { kind: 'value' })),
  );
}

/** CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID and the negative clocks of other processes and threads. */
function isCpuClock(clock: number): boolean {
  return clock < 0 || clock === 2 || clock === 3;
}

/** ITIMER_VIRTUAL and ITIMER_PROF count CPU time where it is used. */
function unlessCpuTimer(call: Call): Plan {
  return asInt(call.args[0]) === 0 ? forward(call) : special(call);
}

function unlessCpuClock(call: Call): Plan {
  if (isCpuClock(asInt(call.args[0]))) return comeHome(`${call.description.name} of CPU time`);
  return forward(call);
}

/** A signal mask has to hold where the signals are delivered: with the body. */
function unlessMasked(mask: number): (call: Call) => Plan {
  return (call) => (call.args[mask] === 0n ? forward(call) : special(call));
}

/** pselect6's last argument points to {mask, size}; libc always passes it, mostly with a null mask. */
function planPselect(call: Call): Plan {
  if (call.args[5] === 0n) return forward(call);
  const pair = readStructure(call.memory, call.args[5], 16);
  if (pair === undefined) return forward(withArgument(call, 5, badAddress));
  if (pair.getBigUint64(0, true) !== 0n) return special(call);
  return forward(withArgument(call, 5, 0n));
}

/** EPOLL_CTL_DEL ignores its event, which may be anything. */
function planEpollControl(call: Call): Plan {
  return forward(asInt(call.args[1]) === 2 ? withArgument(call, 3, 0n) : call);
}

/** accept and recvfrom ignore the length when no address is wanted. */
function ignoringLength(address: number, length: number): (call: Call) => Plan {
  return (call) => forward(call.args[address] === 0n ? withArgument(call, length, 0n) : call);
}

function planSocketOption(call: Call): Plan {
  const option = `${asInt(call.args[1])}:${asInt(call.args[2])}`;
  if (pointerSocketOptions.has(option)) return comeHome(`${call.description.name} ${option}`);
  if (!filterSocketOptions.has(option)) return forward(call);
  return call.description.name === 'setsockopt' ? planSocketFilter(call) : comeHome(`getsockopt ${option}`);
}

function planPrctl(call: Call): Plan {
  return specialPrctlOptions.has(asInt(call.args[0]))
    ? special(call)
    : byCommand(call, prctlOptions, { command: 0, carrier: 1 });
}

/** MADV_GUARD_INSTALL and MADV_GUARD_REMOVE: the engine may refuse them with EINVAL as older kernels do; libc then uses mprotect. */
function planAdvice(call: Call): Plan {
  const advice = asInt(call.args[2]);
  return advice === 102 || advice === 103 ? special(call) : comeHome(`madvise ${advice}`);
}

/** Real-time processes stay at home: their class would hold for the deputy and not for the body. */
function planScheduler(call: Call): Plan {
  const policy = asInt(call.args[1]) & ~0x40000000; // SCHED_RESET_ON_FORK
  return [1, 2, 6].includes(policy) ? comeHome('real-time scheduling') : forward(call);
}

function planAttributes(call: Call): Plan {
  const policy = readStructure(call.memory, call.args[1], 8)?.getUint32(4, true) ?? 0;
  return [1, 2, 6].includes(policy) ? comeHome('real-time scheduling') : forward(call);
}

/** A shorter answer than the program has room for is as good: what is left comes with the next call. */
function atMost(index: number, most: bigint): (call: Call) => Plan {
  return (call) => forward(BigInt(asUnsigned(call.args[index])) > most ? withArgument(call, index, most) : call);
}

/** More events than that at once do not fit bounce memory; a count that the kernel refuses (EP_MAX_EVENTS) stays. */
const mostEvents = 8192n;
const refusedEvents = 178_956_970;

function planEvents(call: Call): Plan {
  const count = asInt(call.args[2]);
  if (count > refusedEvents) return forward(withArgument(call, 1, badAddress), [{ kind: 'fd' }]);
  return forward(count > mostEvents ? withArgument(call, 2, mostEvents) : call);
}

/** AT_HANDLE_MNT_ID_UNIQUE asks for 64 bits. */
function planHandle(call: Call): Plan {
  const unique = (asInt(call.args[4]) & 1) !== 0;
  const mountId: ArgumentKind = { kind: 'inout', length: { bytes: unique ? 8 : 4 } };
  return forward(call, call.description.arguments.with(3, mountId));
}

/** KCMP_EPOLL_TFD points to a structure. */
function planComparison(call: Call): Plan {
  return asInt(call.args[2]) === 7 ? comeHome('kcmp of an epoll target') : forward(call);
}

/** MSG_ZEROCOPY: the kernel sends from the program's pages after the call. */
function planSendTo(call: Call): Plan {
  const plan = forward(call);
  return plan.kind === 'forward' && keepsPages(call.args[3]) ? { ...plan, ownMemory: true } : plan;
}

function planSemaphores(call: Call): Plan {
  if (wholeSetCommands.has(asInt(call.args[2]))) return special(call);
  return byCommand(call, semctlCommands, { command: 2, carrier: 3 });
}

/** SIOCGIFCONF has a list behind its pointer. */
function planIoctl(call: Call): Plan {
  const SIOCGIFCONF = 0x8912;
  if (asUnsigned(call.args[1]) === SIOCGIFCONF) return planInterfaceList(call);
  if (terminalChanges.has(asUnsigned(call.args[1]))) return special(call);
  return byCommand(call, ioctlRequests, { command: 1, carrier: 2 });
}

/** The plan for an ioctl that changes a terminal, once it is known how the program takes SIGTTOU. */
export function planTerminalChange(args: readonly bigint[], memory: BodyMemory): Plan {
  const description = describe(numberOf('ioctl'));
  if (description === undefined) return comeHome('ioctl');
  const call = { description, args: sixArguments(args), memory, architecture: nativeArchitecture };
  return byCommand(call, ioctlRequests, { command: 1, carrier: 2 });
}

/** 0xffffffff only asks. */
function planPersonality(call: Call): Plan {
  return asUnsigned(call.args[0]) === 0xffffffff ? forward(call) : comeHome('a change of personality');
}

/** Calls whose plan depends on more than the table's row. */
const refinements: Readonly<Partial<Record<string, (call: Call) => Plan | undefined>>> = {
  readv: planVector,
  writev: planVector,
  preadv: planVector,
  pwritev: planVector,
  preadv2: planVector,
  pwritev2: planVector,
  sendmsg: planMessages,
  recvmsg: planMessages,
  sendmmsg: planMessages,
  recvmmsg: planMessages,
  sendto: planSendTo,
  getdents: atMost(2, 65536n),
  getdents64: atMost(2, 65536n),
  name_to_handle_at: planHandle,
  getxattrat: planAttribute,
  setxattrat: planAttribute,
  kcmp: planComparison,
  ioctl: planIoctl,
  fcntl: (call) => byCommand(call, fcntlCommands, { command: 1, carrier: 2 }),
  prctl: planPrctl,
  semctl: planSemaphores,
  shmctl: (call) => byCommand(call, shmctlCommands, { command: 1, carrier: 2 }),
  msgctl: (call) => byCommand(call, msgctlCommands, { command: 1, carrier: 2 }),
  setsockopt: planSocketOption,
  getsockopt: planSocketOption,
  accept: ignoringLength(1, 2),
  accept4: ignoringLength(1, 2),
  recvfrom: ignoringLength(4, 5),
  epoll_ctl: planEpollControl,
  epoll_wait: planEvents,
  epoll_pwait: (call) => (call.args[4] === 0n ? planEvents(call) : special(call)),
  epoll_pwait2: (call) => (call.args[4] === 0n ? planEvents(call) : special(call)),
  ppoll: unlessMasked(3),
  pselect6: planPselect,
  clock_nanosleep: unlessCpuClock,
  setitimer: unlessCpuTimer,
  getitimer: unlessCpuTimer,
  madvise: planAdvice,
  mq_notify: planQueueNotify,
  personality: planPersonality,
  sched_setscheduler: planScheduler,
  sched_setattr: planAttributes,
};
