/**
 * The stub page set: memory shared between the engine and one process (deputy or body), mapped at the same low address
 * in both. It holds our machine code, the request slots, the table of injected calls and scratch space; the bounce
 * memory for the data of forwarded calls is the rest of the same file, mapped elsewhere. The process keeps no
 * descriptor of ours. See docs/internals/address_space.md.
 */
import { close, openPath } from '../../sys/descriptors.ts';
import { must, SystemCallError } from '../../sys/errors.ts';
import { kernel } from '../../sys/kernel.ts';
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
} from '../../sys/memory.ts';
import { mappings, signalSets, type Mapping } from '../../sys/procfs.ts';
import { SIGTRAP, type StoppedTask } from '../../sys/ptrace.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { slotLayout } from '../../sys/x64/stub_code.ts';
import { Injection } from './injection.ts';
import { Intruders } from './intruders.ts';
import { stepCall, syscallInstruction } from './step_call.ts';
import { bouncePerSlot, bounceSize, code, layout, type InjectedCall } from './stub_layout.ts';

export { Injection } from './injection.ts';
export { stepCall, syscallInstruction } from './step_call.ts';
export { bouncePerSlot, layout, stubLength, type InjectedCall } from './stub_layout.ts';

const defaultBase = 0x100000;
/** The stub must lie below 4 GB (the seccomp filter compares one 32-bit half) and above mmap_min_addr. */
const highestBase = 0x40000000;

const SA_SIGINFO = 4;
const SA_RESTORER = 0x04000000;

/** struct kernel_sigaction (asm/signal.h). */
export interface KernelAction {
  handler: bigint;
  flags: bigint;
  restorer: bigint;
  mask: bigint;
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
  /** A living thread, by which the kernel shows memory and descriptors: the main one, until that has ended. */
  view: number;
  readonly base: number;
  /** The stub pages; the bounce memory behind them has a view for each slot that is used. */
  readonly memory: Memory;
  readonly code = code;
  /** Where the bounce memory is mapped in the process; 0 while it is not. */
  bounce = 0;
  /** The process has a body's filter, which lets only some calls of ours pass (sys/stub_calls.ts). */
  filtered = false;
  readonly #file: number;
  readonly #bounces = new Map<number, Memory>();

  private constructor(pid: number, view: number, base: number, file: number) {
    this.pid = pid;
    this.view = view;
    this.base = base;
    this.#file = file;
    this.memory = Memory.shared(file, layout.size, layout.size + bounceSize);
  }

  /**
   * Maps the stub into a stopped process. The task's registers are restored; it stays stopped.
   * @param base where it must be, or undefined for the first free place; `bounce`: with the bounce memory
   */
  static install(task: StoppedTask, pid: number, options: { base?: number; bounce?: boolean } = {}): Stub {
    const maps = mappings(task.tid);
    const base = options.base ?? freeBase(maps);
    const instruction = syscallInstruction(task.tid, maps);
    const vdso = maps.find((m) => m.name === '[vdso]')!.start;
    const registers = task.registers();
    const mask = task.signalMask();
    try {
      // The name of the memfd is the vDSO's ELF magic: a C string that is in every process. 0x10: MFD_EXEC, Linux 6.3.
      let fd = stepCall(task, instruction, nr.memfd_create, vdso, 0x11);
      if (fd === -22) fd = stepCall(task, instruction, nr.memfd_create, vdso, 1);
      must(fd, 'memfd_create in the process', { pid });
      const file = openPath(`/proc/${task.tid}/fd/${fd}`, 2);
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
      const stub = new Stub(pid, task.tid, base, file);
      stub.memory.u8.set(code.bytes, 0);
      task.setRegisters(registers);
      using session = stub.borrow(task, mask);
      const setUp = [...stub.#setUpCalls(), [nr.close, fd]] satisfies InjectedCall[];
      if (!options.bounce) session.must('set up the stub', setUp);
      else stub.bounce = session.must('set up the stub', [...setUp, stub.#bounceCall()]).at(-1)! + 0x1000;
      return stub;
    } catch (error) {
      task.setRegisters(registers);
      new Intruders().leave(task, mask);
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
    const stub = new Stub(pid, pid, this.base, file);
    stub.memory.u8.set(code.bytes, 0);
    stub.filtered = this.filtered;
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
      stub.bounce = session.must('map bounce memory', [stub.#bounceCall()])[0] + 0x1000;
    }
    return stub;
  }

  /** They make the pages what they should be, and install the escape for a dying tracer. */
  #setUpCalls(): InjectedCall[] {
    const action = this.scratchAddress(0);
    this.writeAction(0, {
      handler: BigInt(this.base + code.escape),
      flags: BigInt(SA_SIGINFO | SA_RESTORER),
      restorer: BigInt(this.base + code.restorer),
      mask: ~0n,
    });
    return [
      [nr.mprotect, this.base, layout.codeSize, PROT_READ | PROT_EXEC],
      [nr.mprotect, this.base + layout.codeSize, layout.size - layout.codeSize, PROT_READ | PROT_WRITE],
      [nr.rt_sigaction, SIGTRAP, action, this.base + layout.trapAction, 8],
    ];
  }

  /** The process's address of a place in the scratch area. */
  scratchAddress(offset: number): number {
    return this.base + layout.scratch + offset;
  }

  /** Writes a kernel sigaction (32 bytes) into the scratch area. */
  writeAction(offset: number, action: KernelAction): void {
    this.#writeAction(layout.scratch + offset, action);
  }

  /** What SIGTRAP does when it is not ours. */
  setTrapAction(action: KernelAction): void {
    this.#writeAction(layout.trapAction, action);
  }

  /** In a body: the program ignores SIGTRAP. The kernel has the escape instead, which our breakpoints do not reset. */
  ignoresTrap(tid: number): boolean {
    const caught = (signalSets(tid).caught & (1n << BigInt(SIGTRAP - 1))) !== 0n;
    return caught && this.memory.u64[layout.trapAction / 8] === 1n;
  }

  #writeAction(at: number, { handler, flags, restorer, mask }: KernelAction): void {
    [handler, flags, restorer, mask].forEach((word, i) => (this.memory.u64[at / 8 + i] = BigInt.asUintN(64, word)));
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
  #bounceCall(): InjectedCall {
    const last = this.base + layout.size - 0x1000;
    return [nr.mremap, last, 0, 0x1000 + bounceSize, 1 /* MREMAP_MAYMOVE */];
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

  /**
   * Unmaps stub and bounce memory from the process, restoring its SIGTRAP action; the task stays stopped as it was.
   * `release` gives back our side, which takes time: the process need not stand still for that.
   */
  remove(task: StoppedTask, instruction: number = syscallInstruction(this.view)): void {
    this.restoreTrapAction(task, instruction);
    const registers = task.registers();
    const mask = task.signalMask();
    if (this.bounce) stepCall(task, instruction, nr.munmap, this.bounceRange.address, this.bounceRange.length);
    stepCall(task, instruction, nr.munmap, this.base, layout.size);
    task.setRegisters(registers);
    new Intruders().leave(task, mask);
  }

  /** The process's own SIGTRAP action is in force again: nothing can be injected any more, only stepped. */
  restoreTrapAction(task: StoppedTask, instruction: number): void {
    const registers = task.registers();
    const mask = task.signalMask();
    stepCall(task, instruction, nr.rt_sigaction, SIGTRAP, this.base + layout.trapAction, 0, 8);
    task.setRegisters(registers);
    new Intruders().leave(task, mask);
  }

  /** Gives back the engine's side only. */
  release(): void {
    this.memory.free();
    close(this.#file);
  }
}

/** Maps anonymous private memory at a fixed place; `extra` adds flags such as MAP_GROWSDOWN. */
export function mapAnonymous(address: number, length: number, protection: number, extra: number): InjectedCall {
  return [nr.mmap, address, length, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | extra, -1, 0];
}
