/** Calls of a body that are neither plainly local nor plainly forwarded. */
import { nameOf } from '../sys/syscalls.ts';
import { peek } from '../sys/remote_memory.ts';
import { nr } from '../sys/x64/numbers.ts';
import { frameType } from '../wire/frames.ts';
import type { Body } from './body.ts';
import type { BodyCall } from './body_call.ts';
import type { BodyThread } from './body_thread.ts';
import { cpuTimeOf } from './capture.ts';
import { layout } from './stub.ts';

type Special = (body: Body, thread: BodyThread, call: BodyCall) => void;

const SIGTRAP = 5;
/** Signals whose action the home kernel acts on by itself (children, job control). */
const mirroredActions: ReadonlySet<number> = new Set([17, 21, 22]);

const specials: Readonly<Record<string, Special>> = {
  exit: (body, thread, call) => {
    // The kernel here clears the thread's id word and wakes who joins it; then the deputy's thread ends too.
    body.letThrough(thread, call);
    body.link.sendJson(frameType.threadEnded, { tid: thread.tid, code: Number(call.args[0]! & 0xffn) });
  },
  exit_group: plainForward,
  kill: plainForward,
  tkill: plainForward,
  tgkill: plainForward,
  restart_syscall: plainForward,
  rt_sigaction: (body, thread, call) => {
    const signal = Number(call.args[0]! & 0xffffffffn);
    const action = Number(call.args[1]!);
    if (signal === SIGTRAP && action !== 0) return body.comeHome(thread, 'it handles SIGTRAP');
    if (action === 0 || !mirroredActions.has(signal)) return body.letThrough(thread, call);
    const bytes = peek(body.hostPid, action, 32);
    if (bytes.length < 32) return body.letThrough(thread, call);
    body.request(thread, frameType.mirrorAction, { tid: thread.tid, signal, action: Buffer.from(bytes).toString('base64') }, () => body.letThrough(thread, call));
  },
  clone: (body, thread, call) => {
    const [flags, stack, parentTid, childTid, tls] = call.args.map(Number) as [number, number, number, number, number];
    newThread(body, thread, call, { flags, stack, parentTid, childTid, tls });
  },
  clone3: (body, thread, call) => {
    const bytes = Buffer.from(peek(body.hostPid, Number(call.args[0]!), Math.min(Number(call.args[1]!), 88)));
    if (bytes.length < 64) return body.comeHome(thread, 'clone3 with unreadable arguments');
    const word = (offset: number): number => Number(bytes.readBigUInt64LE(offset));
    const stack = word(40) ? word(40) + word(48) : 0;
    newThread(body, thread, call, { flags: word(0), stack, parentTid: word(24), childTid: word(16), tls: word(56) });
  },
  mmap: (body, thread, call) => mapFile(body, thread, call),
  clock_gettime: (body, thread, call) => {
    const clock = Number(BigInt.asIntN(32, call.args[0]!));
    if (clock !== 2 && clock !== 3) return body.comeHome(thread, `clock ${clock}`);
    const nanoseconds = clock === 2 ? body.cpuBase + cpuTimeOf(body.hostPid, true) : (body.threadCpuBase.get(thread.tid) ?? 0) + cpuTimeOf(thread.hostTid, false);
    body.finish(thread, call, writeTimespec(body, Number(call.args[1]!), nanoseconds));
  },
};

/** Calls that are special only for some of their arguments, which marshalling has looked at: made at home as they are. */
function plainForward(body: Body, thread: BodyThread, call: BodyCall): void {
  body.forward(thread, call);
}

export function specialCall(body: Body, thread: BodyThread, call: BodyCall, name: string): void {
  const special = specials[name];
  if (special) special(body, thread, call);
  else body.comeHome(thread, name);
}

function writeTimespec(body: Body, address: number, nanoseconds: number): number {
  const words = new DataView(new ArrayBuffer(16));
  words.setBigInt64(0, BigInt(Math.floor(nanoseconds / 1e9)), true);
  words.setBigInt64(8, BigInt(Math.floor(nanoseconds % 1e9)), true);
  return body.write(address, new Uint8Array(words.buffer)) ? 0 : -14;
}

interface CloneRequest {
  flags: number;
  stack: number;
  parentTid: number;
  childTid: number;
  tls: number;
}

const CLONE_SETTLS = 0x80000;
const neededForThread = 0x100 | 0x800 | 0x10000; // VM, SIGHAND, THREAD

/** A thread is made at home first: its id there is its id here. */
function newThread(body: Body, thread: BodyThread, call: BodyCall, request: CloneRequest): void {
  if ((request.flags & neededForThread) !== neededForThread) return body.comeHome(thread, nameOf(call.nr) === 'clone3' ? 'clone3 of a process' : 'clone of a process');
  body.request(thread, frameType.thread, { tid: thread.tid }, (tid) => {
    if (tid < 0) return body.finish(thread, call, tid);
    body.takeOver(thread, call, (session, stop) => {
      const { memory } = body.stub;
      const at = layout.scratch;
      memory.u8.fill(0, at, at + 128);
      memory.write64(at, (request.flags & ~0xff) >>> 0);
      memory.write64(at + 16, request.childTid);
      memory.write64(at + 24, request.parentTid);
      memory.write64(at + 56, request.tls);
      memory.write64(at + 64, body.stub.scratchAddress(100));
      memory.write64(at + 72, 1);
      memory.u32[(at + 100) / 4] = tid;
      const { result, task } = session.clone([nr.clone3, body.stub.scratchAddress(0), 88]);
      if (!task) return result;
      const registers = session.borrowed.copy().finishCall(0);
      if (request.stack) registers.set('rsp', request.stack);
      if (request.flags & CLONE_SETTLS) registers.set('fs_base', request.tls);
      task.setRegisters(registers);
      task.setSignalMask(session.mask);
      body.addThread(tid, task.tid);
      body.resumeNew(task);
      return tid;
    });
  });
}

const MAP_SHARED = 1;
const MAP_TYPE = 15;
const MAP_ANONYMOUS = 0x20;

/** A private mapping of a file: its content comes from home (or from the cache here) and is mapped like any other. */
function mapFile(body: Body, thread: BodyThread, call: BodyCall): void {
  const [address, length, protection, flags, fd, offset] = call.args.map(Number) as [number, number, number, number, number, number];
  if (flags & MAP_ANONYMOUS || (flags & MAP_TYPE) === MAP_SHARED || (flags & MAP_TYPE) === 3) return body.comeHome(thread, 'it maps memory shared');
  body.mapFile(thread, call, { address, length, protection, flags, fd: fd | 0, offset });
}

