/**
 * The machine code that runs inside deputies and bodies, and the blank program that a body starts as.
 *
 * - the **batch runner** makes a table of system calls one after the other and stops at a breakpoint: many injected
 *   calls for one ptrace stop;
 * - the **deputy loop** waits for a request in its slot, makes the call, and rings the doorbell;
 * - the **recorder** notes a signal that arrives while nobody traces the deputy, so that no handler of the program
 *   runs on stale memory;
 * - the **escape** handles the breakpoint's SIGTRAP when the tracer died in the middle of a batch: it puts the
 *   program's own registers and mask into the signal frame and returns to the program. Any other SIGTRAP it leaves to the
 *   program's own action.
 */
import { Assembler } from './assembler.ts';
import { nr } from './numbers.ts';

const SIGTRAP = 5;

/** Layout of a request slot, in bytes from its start (docs/internals/slots.md). */
export const slotLayout = {
  state: 0,
  sequence: 4,
  nr: 8,
  args: 16,
  result: 64,
  id: 72,
  doorbell: 80,
  size: 128,
} as const;
export const slotState = { idle: 0, requested: 1, done: 2, executing: 3 } as const;

/** An entry of the batch table: nr, six arguments, result. A number of -1 ends the table. */
export const batchEntrySize = 64;

/** What the escape restores: 18 general registers in the order of `struct sigcontext`, then the signal mask. */
export const escapeContextSize = 18 * 8 + 8;

export interface StubCode {
  readonly bytes: Uint8Array;
  /** Offsets from the start of the code page. */
  readonly batch: number;
  readonly batchSyscall: number;
  readonly batchEnd: number;
  readonly loop: number;
  readonly loopCall: number;
  readonly recorder: number;
  readonly escape: number;
  readonly restorer: number;
}

export interface StubPlaces {
  /** Offset of the escape context from the code's start. */
  escapeContext: number;
  /** Offset of the program's own SIGTRAP action from the code's start. */
  trapAction: number;
  /** Offset of the recorder ring (u64 write index, then `recorderEntries` siginfos) from the code's start. */
  recorder: number;
}

/** rbx points to the first table entry. */
function batchRunner(): { bytes: Uint8Array; syscall: number; end: number } {
  const a = new Assembler();
  a.label('next').load('rax', 'rbx', 0).compare('rax', -1).jump('end', 'equal');
  a.load('rdi', 'rbx', 8).load('rsi', 'rbx', 16).load('rdx', 'rbx', 24);
  a.load('r10', 'rbx', 32).load('r8', 'rbx', 40).load('r9', 'rbx', 48);
  a.label('call').syscall().store('rbx', 56, 'rax').add('rbx', batchEntrySize).jump('next');
  a.label('end').breakpoint();
  return { bytes: a.bytes(), syscall: a.offsetOf('call'), end: a.here };
}

/**
 * rbx points to this thread's slot for ever. The stack is not used. It does not look twice before it sleeps: the next
 * request is a journey over the network away, and the time would be charged to the program.
 */
function deputyLoop(): { bytes: Uint8Array; call: number } {
  const s = slotLayout;
  const a = new Assembler();
  a.label('loop').load32('rax', 'rbx', s.state).compare('rax', slotState.requested).jump('go', 'equal');
  // futex(&slot.state, FUTEX_WAIT, the state just seen, NULL): shared, since the engine wakes it from another mapping.
  a.move('rdx', 'rax').move('rdi', 'rbx').clear('rsi').clear('r10').set32('rax', nr.futex).syscall().jump('loop');
  a.label('go').storeImmediate32('rbx', s.state, slotState.executing);
  a.load('rax', 'rbx', s.nr)
    .load('rdi', 'rbx', s.args)
    .load('rsi', 'rbx', s.args + 8)
    .load('rdx', 'rbx', s.args + 16);
  a.load('r10', 'rbx', s.args + 24)
    .load('r8', 'rbx', s.args + 32)
    .load('r9', 'rbx', s.args + 40);
  a.label('call').syscall().store('rbx', s.result, 'rax').storeImmediate32('rbx', s.state, slotState.done);
  // Ring: count up, and wake only when somebody said (word at +4) that it sleeps.
  a.load('rdi', 'rbx', s.doorbell).lockIncrement32('rdi').compareMemory32('rdi', 4, 0).jump('loop', 'equal');
  a.set32('rsi', 1 /* FUTEX_WAKE */).set32('rdx', 1).set32('rax', nr.futex).syscall().jump('loop');
  return { bytes: a.bytes(), call: a.offsetOf('call') };
}

/** Signal handler (rdi = signal, rsi = siginfo): copies the siginfo into the ring, 63 entries of 128 bytes, no wrap. */
function signalRecorder(ring: number): Uint8Array {
  const a = new Assembler();
  a.addressOf('rdi', 'ring').load('rax', 'rdi', 0).compare('rax', 63).jump('full', 'equal');
  a.add('rax', 1).store('rdi', 0, 'rax');
  // rdi += rax * 128, by seven doublings: shifts would need one more instruction form.
  a.label('scale').set32('rcx', 16);
  a.label('advance').add('rdi', 64).add('rdi', 64).add('rax', -1).compare('rax', 0).jump('advance', 'notEqual');
  a.copyQuadwords();
  a.label('full').return();
  return a.bytes({ ring });
}

/**
 * SIGTRAP handler (rsi = siginfo, rdx = ucontext: gregs at +40, 18 of them, the 17th is rip; sigmask at +296; see
 * asm/ucontext.h, asm/sigcontext.h). At the batch's breakpoint it goes on with the program's own context. Anywhere else
 * the signal is the program's: its own action comes back, and the signal is queued once more, to act on the return.
 */
function escapeHandler(places: { context: number; trapAction: number; batchEnd: number }): Uint8Array {
  const a = new Assembler();
  a.load('rax', 'rdx', 40 + 16 * 8)
    .addressOf('rcx', 'batchEnd')
    .compareRegisters('rax', 'rcx')
    .jump('ours', 'equal');
  a.move('r9', 'rsi');
  a.set32('rdi', SIGTRAP).addressOf('rsi', 'trapAction').clear('rdx').set32('r10', 8);
  a.set32('rax', nr.rt_sigaction).syscall();
  a.set32('rax', nr.getpid).syscall().move('rdi', 'rax');
  a.set32('rax', nr.gettid).syscall().move('rsi', 'rax');
  a.set32('rdx', SIGTRAP).move('r10', 'r9').set32('rax', nr.rt_tgsigqueueinfo).syscall().return();
  a.label('ours').addressOf('rsi', 'context').address('rdi', 'rdx', 40).set32('rcx', 18).copyQuadwords();
  a.load('rax', 'rsi', 0).store('rdx', 296, 'rax').return();
  return a.bytes(places);
}

/** Lays out all pieces in one page. */
export function stubCode(places: StubPlaces): StubCode {
  const bytes = new Uint8Array(4096).fill(0xcc);
  const batch = batchRunner();
  const loop = deputyLoop();
  const restorerAt = 0x80;
  const loopAt = 0x100;
  const recorderAt = 0x200;
  const escapeAt = 0x280;
  bytes.set(batch.bytes, 0);
  bytes.set(new Assembler().set32('rax', nr.rt_sigreturn).syscall().bytes(), restorerAt);
  bytes.set(loop.bytes, loopAt);
  bytes.set(signalRecorder(places.recorder - recorderAt), recorderAt);
  const batchEnd = batch.end - escapeAt;
  const context = places.escapeContext - escapeAt;
  bytes.set(escapeHandler({ context, trapAction: places.trapAction - escapeAt, batchEnd }), escapeAt);
  return {
    bytes,
    batch: 0,
    batchSyscall: batch.syscall,
    batchEnd: batch.end,
    loop: loopAt,
    loopCall: loopAt + loop.call,
    recorder: recorderAt,
    escape: escapeAt,
    restorer: restorerAt,
  };
}

/** The blank program: one page that sleeps in pause(2) for ever. Loaded at 64 KB, the lowest address mmap allows. */
export function blankProgram(): Uint8Array {
  const file = new Uint8Array(0x110);
  const view = new DataView(file.buffer);
  const u64 = (offset: number, value: number): void => view.setBigUint64(offset, BigInt(value), true);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1], 0);
  view.setUint16(16, 2, true); // ET_EXEC
  view.setUint16(18, 62, true); // EM_X86_64
  view.setUint32(20, 1, true);
  u64(24, 0x10100);
  u64(32, 64);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 1, true); // PT_LOAD
  view.setUint32(68, 5, true); // read, execute
  u64(80, 0x10000);
  u64(88, 0x10000);
  u64(96, file.length);
  u64(104, file.length);
  u64(112, 0x1000);
  file.set(new Assembler().label('again').set32('rax', nr.pause).syscall().jump('again').bytes(), 0x100);
  return file;
}

/** SIGCHLD handler: write(eventFd, &one, 8). Turns child and ptrace events into something epoll can see. */
export function childSignalCode(eventFd: number, oneOffset: number): { bytes: Uint8Array; restorer: number } {
  const a = new Assembler();
  a.set32('rax', nr.write).set32('rdi', eventFd).addressOf('rsi', 'one').set32('rdx', 8).syscall().return();
  const restorer = a.here;
  a.set32('rax', nr.rt_sigreturn).syscall();
  return { bytes: a.bytes({ one: oneOffset }), restorer };
}

/** A signal handler that does nothing: what it interrupted ends with EINTR. */
export function emptyHandlerCode(): { bytes: Uint8Array; restorer: number } {
  const a = new Assembler().return();
  const restorer = a.here;
  return { bytes: a.set32('rax', nr.rt_sigreturn).syscall().bytes(), restorer };
}
