/**
 * The stub page set: memory shared between the engine and one process (deputy or body), mapped at the same low address
 * in both. It holds our machine code, the request slots, the table of injected calls and scratch space; the bounce
 * memory for the data of forwarded calls is the rest of the same file, mapped elsewhere. The process keeps no
 * descriptor of ours. See docs/internals/address_space.md.
 */
import { close, openPath } from '../sys/descriptors.ts';
import { must, SystemCallError } from '../sys/errors.ts';
import { kernel } from '../sys/kernel.ts';
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_PRIVATE,
  MAP_SHARED,
  Memory,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from '../sys/memory.ts';
import { mappings, type Mapping } from '../sys/procfs.ts';
import type { StoppedTask } from '../sys/ptrace.ts';
import { SIGTRAP, traceEvent, RunningTask } from '../sys/ptrace.ts';
import { peek } from '../sys/remote_memory.ts';
import { nr } from '../sys/x64/numbers.ts';
import type { Registers } from '../sys/x64/registers.ts';
import { batchEntrySize, slotLayout, stubCode } from '../sys/x64/stub_code.ts';

export const layout = {
  code: 0,
  codeSize: 0x1000,
  /** u32 count of finished calls, then u32 "somebody sleeps on it". */
  doorbell: 0x1000,
  escapeContext: 0x1100,
  /** The program's own SIGTRAP action while ours is installed. */
  trapAction: 0x1200,
  recorder: 0x2000,
  slots: 0x4000,
  slotCount: 512,
  table: 0x14000,
  tableEntries: 1023,
  scratch: 0x24000,
  scratchSize: 0x10000,
  size: 0x34000,
} as const;

/** Bounce memory of one slot; larger transfers use memory mapped for the one call. */
export const bouncePerSlot = 128 * 1024;
export const bounceSize = layout.slotCount * bouncePerSlot;
const defaultBase = 0x100000;
/** The stub must lie below 4 GB (the seccomp filter compares one 32-bit half) and above mmap_min_addr. */
const highestBase = 0x40000000;

const code = stubCode({ escapeContext: layout.escapeContext, recorder: layout.recorder });
export const stubLength = layout.codeSize;

/** An injected call: number and arguments. Wide arguments may be bigint. */
export type InjectedCall = readonly [number, ...(number | bigint)[]];

const everySignalButTrap = 0xffffffffffffffffn & ~(1n << BigInt(SIGTRAP - 1));
const SA_SIGINFO = 4;
const SA_RESTORER = 0x04000000;

/** The address of a `syscall` instruction in a process's vDSO. */
export function syscallInstruction(pid: number, maps: readonly Mapping[] = mappings(pid)): number {
  const vdso = maps.find((m) => m.name === '[vdso]');
  if (!vdso) throw new Error(`Cannot inject into process ${pid}: it has no vDSO`);
  const at = Buffer.from(peek(pid, vdso.start, vdso.end - vdso.start)).indexOf(Buffer.from([0x0f, 0x05]));
  if (at < 0) throw new Error(`Cannot inject into process ${pid}: no syscall instruction in its vDSO`);
  return vdso.start + at;
}

/** Makes one call by stepping over an existing `syscall` instruction. The task's registers are not restored. */
export function stepCall(task: StoppedTask, instruction: number, number: number, ...args: (number | bigint)[]): number {
  const registers = task.registers();
  setCall(registers.set('rip', instruction).set('rax', number).set('orig_rax', -1), args);
  task.setRegisters(registers);
  // A stop left over from an interrupt, or a pending fault, comes before the instruction has been executed.
  let after = task.step();
  for (let left = 4; left > 0 && (isLeftOver(after) || [4, 7, 8, 11].includes(after.signal)); left--)
    after = after.step();
  if (after.signal !== SIGTRAP) throw new Error(`Cannot step task ${task.tid}: it stopped with signal ${after.signal}`);
  return after.registers().number('rax');
}

function setCall(registers: Registers, args: readonly (number | bigint)[]): void {
  (['rdi', 'rsi', 'rdx', 'r10', 'r8', 'r9'] as const).forEach((name, i) => registers.set(name, args[i] ?? 0));
}

/** A place for the stub that no mapping touches. */
function freeBase(maps: readonly Mapping[]): number {
  for (let base = defaultBase; base < highestBase; base += 0x40000) {
    if (!maps.some((m) => m.start < base + layout.size && m.end > base)) return base;
  }
  throw new Error('Cannot place the stub: no free address below 1 GB');
}

export class Stub {
  readonly pid: number;
  readonly base: number;
  /** The stub pages; the bounce memory behind them has a view for each slot that is used. */
  readonly memory: Memory;
  readonly code = code;
  /** Where the bounce memory is mapped in the process; 0 while it is not. */
  bounce = 0;
  readonly #file: number;
  readonly #bounces = new Map<number, Memory>();

  private constructor(pid: number, base: number, file: number) {
    this.pid = pid;
    this.base = base;
    this.#file = file;
    this.memory = Memory.shared(file, layout.size, layout.size + bounceSize);
  }

  /**
   * Maps the stub into a stopped process. The task's registers are restored; it stays stopped.
   * @param base where it must be, or undefined for the first free place
   */
  static install(task: StoppedTask, pid: number, options: { base?: number } = {}): Stub {
    const maps = mappings(pid);
    const base = options.base ?? freeBase(maps);
    const instruction = syscallInstruction(pid, maps);
    const vdso = maps.find((m) => m.name === '[vdso]')!.start;
    const registers = task.registers();
    const mask = task.signalMask();
    task.setSignalMask(everySignalButTrap);
    try {
      // The name of the memfd is the vDSO's ELF magic: a C string that is in every process. 0x10: MFD_EXEC, Linux 6.3.
      let fd = stepCall(task, instruction, nr.memfd_create, vdso, 0x11);
      if (fd === -22) fd = stepCall(task, instruction, nr.memfd_create, vdso, 1);
      must(fd, 'memfd_create in the process', { pid });
      const file = openPath(`/proc/${pid}/fd/${fd}`, 2);
      must(kernel.call(nr.ftruncate, file, layout.size + bounceSize), 'ftruncate');
      const mapped = stepCall(
        task,
        instruction,
        nr.mmap,
        base,
        layout.size,
        PROT_READ | PROT_WRITE | PROT_EXEC,
        MAP_SHARED | MAP_FIXED_NOREPLACE,
        fd,
        0,
      );
      if (mapped !== base) {
        stepCall(task, instruction, nr.close, fd);
        close(file);
        throw new SystemCallError('mmap of the stub', mapped < 0 ? mapped : -17, { pid, base: base.toString(16) });
      }
      const stub = new Stub(pid, base, file);
      stub.memory.u8.set(code.bytes, 0);
      task.setRegisters(registers);
      using session = stub.borrow(task, mask);
      stub.#takeTrapSignal(session, fd);
      return stub;
    } catch (error) {
      restore(task, registers, mask);
      throw error;
    }
  }

  /**
   * A forked child has its parent's stub mapped, shared: gives it one of its own in the same place, with the same code.
   * Nothing but the inherited code can make the calls for that, since a filter that was inherited, too, traps all others.
   * The task's registers and mask are the caller's to set.
   */
  renew(task: StoppedTask): Stub {
    const pid = task.tid;
    const instruction = this.base + code.batchSyscall;
    const name = layout.scratchSize - 16;
    this.memory.buffer.write('mosix-stub\0', layout.scratch + name, 'latin1');
    let fd = stepCall(task, instruction, nr.memfd_create, this.scratchAddress(name), 0x11);
    if (fd === -22) fd = stepCall(task, instruction, nr.memfd_create, this.scratchAddress(name), 1);
    must(fd, 'memfd_create in the child', { pid });
    const file = openPath(`/proc/${pid}/fd/${fd}`, 2);
    must(kernel.call(nr.ftruncate, file, layout.size + bounceSize), 'ftruncate');
    const stub = new Stub(pid, this.base, file);
    stub.memory.u8.set(code.bytes, 0);
    stub.memory.u8.set(this.memory.u8.subarray(layout.trapAction, layout.trapAction + 32), layout.trapAction);
    const all = PROT_READ | PROT_WRITE | PROT_EXEC;
    must(
      stepCall(task, instruction, nr.mmap, this.base, layout.size, all, MAP_SHARED | MAP_FIXED, fd, 0),
      'mmap of the stub',
      { pid },
    );
    using session = stub.borrow(task);
    session.must('set up the stub', [
      [nr.mprotect, this.base, layout.codeSize, PROT_READ | PROT_EXEC],
      [nr.mprotect, this.base + layout.codeSize, layout.size - layout.codeSize, PROT_READ | PROT_WRITE],
      [nr.close, fd],
    ]);
    if (this.bounce) {
      session.must('leave the bounce memory', [[nr.munmap, this.bounceRange.address, this.bounceRange.length]]);
      stub.mapBounce(session);
    }
    return stub;
  }

  /** Makes the pages what they should be, closes the descriptor, and installs the escape for a dying tracer. */
  #takeTrapSignal(session: Injection, fd: number): void {
    const action = this.scratchAddress(0);
    this.writeAction(0, {
      handler: BigInt(this.base + code.escape),
      flags: BigInt(SA_SIGINFO | SA_RESTORER),
      restorer: BigInt(this.base + code.restorer),
      mask: ~0n,
    });
    session.must('set up the stub', [
      [nr.mprotect, this.base, layout.codeSize, PROT_READ | PROT_EXEC],
      [nr.mprotect, this.base + layout.codeSize, layout.size - layout.codeSize, PROT_READ | PROT_WRITE],
      [nr.rt_sigaction, SIGTRAP, action, this.base + layout.trapAction, 8],
      [nr.close, fd],
    ]);
  }

  /** The process's address of a place in the scratch area. */
  scratchAddress(offset: number): number {
    return this.base + layout.scratch + offset;
  }

  /** Writes a kernel sigaction (32 bytes) into the scratch area. */
  writeAction(offset: number, action: { handler: bigint; flags: bigint; restorer: bigint; mask: bigint }): void {
    const words = [action.handler, action.flags, action.restorer, action.mask];
    words.forEach((word, i) => (this.memory.u64[(layout.scratch + offset) / 8 + i] = BigInt.asUintN(64, word)));
  }

  slotOffset(slot: number): number {
    return layout.slots + slot * slotLayout.size;
  }

  /** A slot's bounce memory; the process sees it at `bounceAddress`. */
  bounceMemory(slot: number): Memory {
    let memory = this.#bounces.get(slot);
    if (!memory) {
      memory = new Memory(this.memory.address + layout.size + slot * bouncePerSlot, bouncePerSlot);
      this.#bounces.set(slot, memory);
    }
    return memory;
  }

  bounceAddress(slot: number): number {
    return this.bounce + slot * bouncePerSlot;
  }

  /**
   * Maps the bounce memory without a descriptor: mremap(2) with an old size of 0 makes a second mapping of the same
   * shared pages, and from the stub's last page on it reaches into the rest of the file.
   */
  mapBounce(session: Injection): void {
    const last = this.base + layout.size - 0x1000;
    const [copy] = session.must('map bounce memory', [
      [nr.mremap, last, 0, 0x1000 + bounceSize, 1 /* MREMAP_MAYMOVE */],
    ]);
    this.bounce = copy + 0x1000;
  }

  /** The bounce memory goes: its place may be needed for what the body brings. */
  unmapBounce(session: Injection): void {
    if (this.bounce)
      session.must('unmap bounce memory', [[nr.munmap, this.bounceRange.address, this.bounceRange.length]]);
    this.bounce = 0;
  }

  /** What the bounce mapping occupies in the process. */
  get bounceRange(): { address: number; length: number } {
    return { address: this.bounce - 0x1000, length: bounceSize + 0x1000 };
  }

  /** Borrows a stopped task for injected calls; disposing gives it back as it was, stopped. */
  borrow(task: StoppedTask, mask: bigint = task.signalMask()): Injection {
    return new Injection(this, task, mask);
  }

  /** Unmaps stub and bounce memory from the process, restoring its SIGTRAP action; the task stays stopped as it was. */
  remove(task: StoppedTask, instruction: number = syscallInstruction(this.pid)): void {
    this.restoreTrapAction(task, instruction);
    const registers = task.registers();
    const mask = task.signalMask();
    task.setSignalMask(everySignalButTrap);
    if (this.bounce) stepCall(task, instruction, nr.munmap, this.bounceRange.address, this.bounceRange.length);
    stepCall(task, instruction, nr.munmap, this.base, layout.size);
    restore(task, registers, mask);
    this.release();
  }

  /** The process's own SIGTRAP action is in force again: nothing can be injected any more, only stepped. */
  restoreTrapAction(task: StoppedTask, instruction: number): void {
    const registers = task.registers();
    const mask = task.signalMask();
    task.setSignalMask(everySignalButTrap);
    stepCall(task, instruction, nr.rt_sigaction, SIGTRAP, this.base + layout.trapAction, 0, 8);
    restore(task, registers, mask);
  }

  /** Gives back the engine's side only. */
  release(): void {
    this.memory.free();
    close(this.#file);
  }
}

function restore(task: StoppedTask, registers: Registers, mask: bigint): StoppedTask {
  task.setRegisters(registers);
  task.setSignalMask(mask);
  return restop(task);
}

/**
 * Leaves the SIGTRAP stop of a breakpoint or step for an event stop without executing an instruction: if the tracer
 * dies now, the task goes on with its own registers, and no SIGTRAP is delivered to it.
 */
function restop(task: StoppedTask): StoppedTask {
  const running = new RunningTask(task.tid);
  running.interrupt();
  task.resume();
  return running.waitStop();
}

/** An event stop that an earlier interrupt asked for. */
function isLeftOver(stop: StoppedTask): boolean {
  return stop.event === traceEvent.stop && stop.signal === SIGTRAP;
}

/** A task lent for injected calls. */
export class Injection {
  readonly #stub: Stub;
  readonly #task: StoppedTask;
  readonly #registers: Registers;
  readonly #mask: bigint;

  constructor(stub: Stub, task: StoppedTask, mask: bigint) {
    this.#stub = stub;
    this.#task = task;
    this.#registers = task.registers();
    this.#mask = mask;
    const saved = this.#registers.copy();
    if (saved.interrupted) saved.repeatCall(saved.number('rax') === -516 ? nr.restart_syscall : saved.syscall);
    stub.memory.u64.set(saved.escapeContext(mask), layout.escapeContext / 8);
    task.setSignalMask(everySignalButTrap);
  }

  /** The task's own registers and mask, which come back when the session ends. */
  get borrowed(): Registers {
    return this.#registers;
  }

  get mask(): bigint {
    return this.#mask;
  }

  /** Makes the calls one after the other. @returns their results (-errno on failure) */
  run(calls: readonly InjectedCall[]): number[] {
    const out: number[] = [];
    for (let i = 0; i < calls.length; i += layout.tableEntries)
      out.push(...this.#runTable(calls.slice(i, i + layout.tableEntries)));
    return out;
  }

  /** As `run`, but a failed call is an error. @throws SystemCallError */
  must(purpose: string, calls: readonly InjectedCall[]): number[] {
    const results = this.run(calls);
    results.forEach((result, i) => {
      if (result < 0 && result > -4096)
        throw new SystemCallError(`${purpose}: injected call ${calls[i][0]}`, result, {
          pid: this.#stub.pid,
          args: calls[i]
            .slice(1)
            .map((a) => a.toString(16))
            .join(','),
        });
    });
    return results;
  }

  /** Makes a clone or clone3 call. @returns its result and the new task, stopped before its first instruction */
  clone(callToMake: InjectedCall): { result: number; task: StoppedTask | undefined } {
    this.#fill([callToMake]);
    this.#start();
    let child: StoppedTask | undefined;
    for (;;) {
      const stop = this.#resume();
      if (stop.event === traceEvent.clone || stop.event === traceEvent.fork || stop.event === traceEvent.vfork) {
        child = new RunningTask(stop.eventMessage()).waitStop();
      } else {
        this.#expectEnd(stop);
        return { result: this.#result(0), task: child };
      }
    }
  }

  #runTable(calls: readonly InjectedCall[]): number[] {
    this.#fill(calls);
    this.#start();
    this.#expectEnd(this.#resume());
    return calls.map((_, i) => this.#result(i));
  }

  /** Runs to the next stop of its own: not one left over from an earlier interrupt, nor a fault that was still pending. */
  #resume(): StoppedTask {
    let stop = this.#task.resume().waitStop();
    for (let left = 4; left > 0 && (isLeftOver(stop) || this.#isPendingFault(stop)); left--)
      stop = stop.resume().waitStop();
    return stop;
  }

  /**
   * The kernel delivers a pending synchronous signal before our breakpoint's, even a blocked one. It is dropped: the
   * program's instruction will be repeated and fault again.
   */
  #isPendingFault(stop: StoppedTask): boolean {
    const faults = [4, 7, 8, 11];
    return (
      stop.event === 0 &&
      faults.includes(stop.signal) &&
      stop.registers().number('rip') === this.#stub.base + code.batchEnd
    );
  }

  #fill(calls: readonly InjectedCall[]): void {
    const words = this.#stub.memory.u64;
    let at = layout.table / 8;
    for (const entry of calls) {
      for (let i = 0; i < 7; i++) words[at + i] = BigInt.asUintN(64, BigInt(entry[i] ?? 0));
      at += batchEntrySize / 8;
    }
    words[at] = 0xffffffffffffffffn;
  }

  #start(): void {
    const registers = this.#registers.copy();
    registers
      .set('rip', this.#stub.base + code.batch)
      .set('rbx', this.#stub.base + layout.table)
      .set('orig_rax', -1);
    this.#task.setRegisters(registers);
  }

  #expectEnd(stop: StoppedTask): void {
    if (stop.signal === SIGTRAP && stop.event === 0) return;
    throw new Error(
      `Cannot inject into task ${stop.tid}: it stopped with signal ${stop.signal}, event ${stop.event}, at ${stop.registers().get('rip').toString(16)}`,
    );
  }

  #result(index: number): number {
    return Number(BigInt.asIntN(64, this.#stub.memory.u64[layout.table / 8 + index * (batchEntrySize / 8) + 7]));
  }

  [Symbol.dispose](): void {
    restore(this.#task, this.#registers, this.#mask);
  }
}

/** Maps anonymous private memory at a fixed place; `extra` adds flags such as MAP_GROWSDOWN. */
export function mapAnonymous(address: number, length: number, protection: number, extra: number): InjectedCall {
  return [nr.mmap, address, length, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | extra, -1, 0];
}
