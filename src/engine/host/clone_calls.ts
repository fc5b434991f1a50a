/**
 * Threads and processes that a body makes. Home makes each of them first, with the id that it has everywhere; then the
 * body's own thread makes it here, with that id. See docs/internals/families.md.
 */
import { nameOf } from '../../sys/syscalls.ts';
import { mappings } from '../../sys/procfs.ts';
import { nap, type StoppedTask } from '../../sys/ptrace.ts';
import { peek } from '../../sys/remote_memory.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { frameType, noSlot } from '../../wire/frames.ts';
import type { BodyCall } from './body_call.ts';
import type { BodyHost } from './body_host.ts';
import type { BodyThread } from './body_thread.ts';
import { cloneFlag } from '../task/clone_arguments.ts';
import type { ForkAnswer, ForkRequest } from '../image/fork_messages.ts';
import { layout, type Injection, type Stub } from '../task/stub.ts';

const SIGCHLD = 17;

/** What the program asks for; flags without the exit signal. */
interface CloneRequest {
  flags: number;
  exitSignal: number;
  /** Top of the new task's stack; 0: a copy of the caller's. */
  stack: number;
  parentTid: number;
  childTid: number;
  tls: number;
  pidfd: number;
  /** Arguments of clone3 that we do not know how to fulfil. */
  more: boolean;
}

const neededForThread = cloneFlag.vm | cloneFlag.sighand | cloneFlag.thread;

type CloneCall = (body: BodyHost, thread: BodyThread, call: BodyCall) => void;

export const cloneCalls: Readonly<Record<'clone' | 'clone3' | 'fork' | 'vfork', CloneCall>> = {
  clone: (body, thread, call) => {
    const word = (index: number): number => Number(call.args[index] ?? 0n);
    const flags = word(0) % 2 ** 32;
    const parentTid = word(2);
    make(body, thread, call, {
      flags: flags - (flags & 0xff),
      exitSignal: flags & 0xff,
      stack: word(1),
      parentTid,
      childTid: word(3),
      tls: word(4),
      pidfd: parentTid,
      more: false,
    });
  },
  clone3: (body, thread, call) => {
    const size = Math.min(Number(call.args[1]), 88);
    const bytes = Buffer.alloc(88);
    const read = peek(body.hostPid, Number(call.args[0]), size);
    bytes.set(read);
    if (read.length < Math.max(size, 64)) return body.comeHome(thread, 'clone3 with unreadable arguments');
    const word = (offset: number): number => Number(bytes.readBigUInt64LE(offset));
    make(body, thread, call, {
      flags: word(0),
      exitSignal: word(32),
      stack: word(40) ? word(40) + word(48) : 0,
      parentTid: word(24),
      childTid: word(16),
      tls: word(56),
      pidfd: word(8),
      more: Number(call.args[1]) > 88 || word(72) !== 0 || word(80) !== 0,
    });
  },
  fork: (body, thread, call) => make(body, thread, call, plain(0)),
  vfork: (body, thread, call) => make(body, thread, call, plain(cloneFlag.vm | cloneFlag.vfork)),
};

function plain(flags: number): CloneRequest {
  return { flags, exitSignal: SIGCHLD, stack: 0, parentTid: 0, childTid: 0, tls: 0, pidfd: 0, more: false };
}

function has(flags: number, flag: number): boolean {
  return Math.floor(flags / flag) % 2 === 1;
}

function make(body: BodyHost, thread: BodyThread, call: BodyCall, request: CloneRequest): void {
  const { flags, more } = request;
  if (thread.lodger) body.comeHome(thread, `${nameOf(call.nr)} behind vfork`);
  else if ((flags & neededForThread) === neededForThread) newThread(body, thread, call, request);
  else if (!more && isVfork(flags)) newLodger(body, thread, call, request);
  else if (!more && isFork(flags)) newProcess(body, thread, call, request);
  else body.comeHome(thread, nameOf(call.nr) === 'clone3' ? 'clone3 of a process' : 'clone of a process');
}

/** Shared or copied at home, where these things are. */
const homeFlags =
  cloneFlag.fs | cloneFlag.files | cloneFlag.sysvsem | cloneFlag.io | cloneFlag.parent | cloneFlag.pidfd;
/** Written to the new process's memory, or part of its context: done here. */
const bodyFlags = cloneFlag.settls | cloneFlag.parentSettid | cloneFlag.childCleartid | cloneFlag.childSettid;

function isFork(flags: number): boolean {
  const low = flags % 2 ** 32;
  const high = flags - low;
  return (low & ~(homeFlags | bodyFlags)) === 0 && (high === 0 || high === cloneFlag.clearSighand);
}

/** What a thread shares with its maker at home, where descriptors, directories and semaphores are. */
const threadHomeFlags = cloneFlag.fs | cloneFlag.files | cloneFlag.sysvsem;
/** CLONE_PTRACE, CLONE_DETACHED, CLONE_UNTRACED: without meaning for a program that nobody traces. */
const withoutMeaning = 0x2000 | 0x400000 | 0x800000;
function isVfork(flags: number): boolean {
  const borrowed = cloneFlag.vm | cloneFlag.vfork;
  return (flags & borrowed) === borrowed && isFork(flags - borrowed);
}

/** A thread is made at home first: its id there is its id here. */
function newThread(body: BodyHost, thread: BodyThread, call: BodyCall, request: CloneRequest): void {
  const { flags } = request;
  const known = neededForThread | threadHomeFlags | bodyFlags | withoutMeaning;
  if (request.more || flags >= 2 ** 32 || (flags & ~known) !== 0)
    return body.comeHome(thread, `${nameOf(call.nr)} of a thread with flags ${flags.toString(16)}`);
  const wish = { tid: thread.tid, flags: flags & (neededForThread | threadHomeFlags) };
  body.request(thread, frameType.thread, wish, (tid) => {
    if (tid === noSlot) return body.comeHome(thread, `it makes more than ${layout.slotCount} threads`);
    if (tid < 0) return body.finish(thread, call, tid);
    body.takeOver(thread, call, (session) => {
      const here = neededForThread | threadHomeFlags | (flags & bodyFlags);
      const { result, task } = cloneHere(body, session, { ...request, flags: here, tid });
      if (!task) {
        body.link.sendJson(frameType.threadEnded, { tid, code: 0 });
        return result === EEXIST ? EAGAIN : result;
      }
      giveContext(session, task, request);
      body.addThread(tid, task.tid);
      body.resumeNew(task);
      return tid;
    });
  });
}

/** A process is made at home first: its deputy has the id, and all that the kernel knows of it. */
function newProcess(body: BodyHost, thread: BodyThread, call: BodyCall, request: CloneRequest): void {
  // A copy of the rings would be the child's own, and not shared with the parent's.
  if (body.rings) return body.comeHome(thread, `${nameOf(call.nr)} with an io_uring`);
  const { flags, exitSignal } = request;
  const shares = body.shared.sharesMemory && mappings(body.hostPid).some((m) => m.permissions[3] === 's');
  const wish: ForkRequest = { tid: thread.tid, flags: (flags & homeFlags) >>> 0, exitSignal, shares };
  body.ask<ForkAnswer>(thread, frameType.fork, wish, (answer) => {
    if ('failed' in answer) return body.finish(thread, call, answer.failed);
    body.takeOver(thread, call, (session) => {
      const { pid, channel } = answer;
      const task = processHere(body, session, { request, answer, more: cloneFlag.parent });
      if (typeof task === 'number') return task;
      const stub = body.stub.renew(task);
      giveContext(session, task, request);
      body.born({ pid, channel, task, stub });
      return pid;
    });
  });
}

/** A process that borrows the memory: nearly a thread, and its parent's thread waits until it has gone. */
function newLodger(body: BodyHost, thread: BodyThread, call: BodyCall, request: CloneRequest): void {
  const { flags, exitSignal } = request;
  const wish: ForkRequest = {
    tid: thread.tid,
    flags: (flags & (homeFlags | cloneFlag.vm)) >>> 0,
    exitSignal,
    shares: false,
  };
  body.ask<ForkAnswer>(thread, frameType.fork, wish, (answer) => {
    if ('failed' in answer) return body.finish(thread, call, answer.failed);
    body.takeOver(thread, call, (session) => {
      const { pid } = answer;
      const task = processHere(body, session, { request, answer, more: cloneFlag.parent | cloneFlag.vm });
      if (typeof task === 'number') return task;
      copyAlternateStack(body.stub, session, task);
      giveContext(session, task, request);
      thread.awaits = body.addThread(pid, task.tid, true);
      body.resumeNew(task);
      return pid;
    });
  });
}

/** Makes the process that home has made. @returns -errno if that fails; then home takes its own back */
function processHere(
  body: BodyHost,
  session: Injection,
  made: { request: CloneRequest; answer: Exclude<ForkAnswer, { failed: number }>; more: number },
): StoppedTask | number {
  const { request, answer, more } = made;
  const high = has(request.flags, cloneFlag.clearSighand) ? cloneFlag.clearSighand : 0;
  const flags = ((request.flags & bodyFlags) | more) + high;
  const { result, task } = cloneHere(body, session, { ...request, flags, tid: answer.pid });
  if (!task) {
    body.link.sendJson(frameType.unborn, { pid: answer.pid });
    return result === EEXIST ? EAGAIN : result;
  }
  if (has(request.flags, cloneFlag.pidfd))
    body.write(request.pidfd, new Uint8Array(Int32Array.of(answer.pidfd).buffer));
  return task;
}

/** vfork keeps it; the kernel clears it where memory is shared and nobody waits. */
function copyAlternateStack(stub: Stub, session: Injection, task: StoppedTask): void {
  session.run([[nr.sigaltstack, 0, stub.scratchAddress(0)]]);
  const flagsWord = (layout.scratch + 8) >> 2;
  const SS_ONSTACK = 1;
  const SS_DISABLE = 2;
  if (stub.memory.u32[flagsWord] & SS_DISABLE) return;
  stub.memory.u32[flagsWord] &= ~SS_ONSTACK;
  using child = stub.borrow(task);
  child.run([[nr.sigaltstack, stub.scratchAddress(0), 0]]);
}

const EAGAIN = -11;
const EEXIST = -17;
/** Attempts, a millisecond apart, while an ended body with this id is still being taken away. */
const attempts = 50;

/** Makes the new task, stopped before its first instruction. */
function cloneHere(
  body: BodyHost,
  session: Injection,
  request: CloneRequest & { tid: number },
): ReturnType<Injection['clone']> {
  const { stub } = body;
  const { memory } = stub;
  const at = layout.scratch;
  for (let attempt = 1; ; attempt++) {
    memory.u8.fill(0, at, at + 128);
    memory.write64(at, request.flags);
    memory.write64(at + 16, request.childTid);
    memory.write64(at + 24, request.parentTid);
    memory.write64(at + 56, request.tls);
    memory.write64(at + 64, stub.scratchAddress(100));
    memory.write64(at + 72, 1);
    memory.u32[(at + 100) / 4] = request.tid;
    const made = session.clone([nr.clone3, stub.scratchAddress(0), 88]);
    if (made.result !== EEXIST || attempt === attempts) return made;
    nap(1000);
    body.loop.reapTasks();
  }
}

/** The new task goes on behind the call, with its own stack and thread pointer. */
function giveContext(session: Injection, task: StoppedTask, request: CloneRequest): void {
  const registers = session.borrowed.copy().finishCall(0);
  if (request.stack) registers.set('rsp', request.stack);
  if (has(request.flags, cloneFlag.settls)) registers.set('fs_base', request.tls);
  task.setRegisters(registers);
  task.setSignalMask(session.mask);
}
