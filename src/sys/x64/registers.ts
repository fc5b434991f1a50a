/** The general registers of a stopped task, as PTRACE_GETREGS gives them (struct user_regs_struct, sys/user.h). */

export const registerIndex = {
  r15: 0,
  r14: 1,
  r13: 2,
  r12: 3,
  rbp: 4,
  rbx: 5,
  r11: 6,
  r10: 7,
  r9: 8,
  r8: 9,
  rax: 10,
  rcx: 11,
  rdx: 12,
  rsi: 13,
  rdi: 14,
  orig_rax: 15,
  rip: 16,
  cs: 17,
  eflags: 18,
  rsp: 19,
  ss: 20,
  fs_base: 21,
  gs_base: 22,
  ds: 23,
  es: 24,
  fs: 25,
  gs: 26,
} as const;
type Name = keyof typeof registerIndex;

export const registerCount = 27;

/** Where a system call's arguments are. */
export const argumentRegisters = ['rdi', 'rsi', 'rdx', 'r10', 'r8', 'r9'] as const satisfies readonly Name[];

/** struct sigcontext order of the 18 general registers (asm/sigcontext.h). */
const sigcontextOrder: readonly Name[] = [
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
  'rdi',
  'rsi',
  'rbp',
  'rbx',
  'rdx',
  'rax',
  'rcx',
  'rsp',
  'rip',
  'eflags',
];

/** In-kernel results that mean "interrupted, may be restarted" (linux/errno.h). */
export const ERESTARTSYS = -512;
export const ERESTARTNOINTR = -513;
export const ERESTARTNOHAND = -514;
export const ERESTART_RESTARTBLOCK = -516;
export const EINTR = -4;

const callInstructionSize = 2n;

/** The lower half of a register, as a signed number. */
export function lowHalf(value: bigint): number {
  return Number(BigInt.asIntN(32, value));
}

export class Registers {
  readonly words: BigUint64Array;

  constructor(words: BigUint64Array = new BigUint64Array(registerCount)) {
    this.words = words;
  }

  copy(): Registers {
    return new Registers(this.words.slice());
  }

  get(name: Name): bigint {
    return this.words[registerIndex[name]];
  }

  /** The register as a signed number; exact below 2^53. */
  number(name: Name): number {
    return Number(BigInt.asIntN(64, this.words[registerIndex[name]]));
  }

  set(name: Name, value: number | bigint): this {
    this.words[registerIndex[name]] = BigInt.asUintN(64, BigInt(value));
    return this;
  }

  /**
   * The call a task was stopped in the exit of, or -1 when it was not in a call. Its number is an int
   * (entry_SYSCALL_64 in arch/x86/entry/entry_64.S).
   */
  get syscall(): number {
    const nr = lowHalf(this.get('orig_rax'));
    return nr >= 0 ? nr : -1;
  }

  /**
   * What is in the half of orig_rax that the kernel ignores. A call that is made again keeps it, and the next call of the
   * program does not have it; no program can see it there.
   */
  get mark(): number {
    return Number(this.get('orig_rax') >> 32n);
  }

  /** As if the task had been stopped in the exit of this call. */
  setCall(nr: number, mark = 0): this {
    return this.set('orig_rax', (BigInt(mark) << 32n) | BigInt(nr));
  }

  get syscallArguments(): bigint[] {
    return argumentRegisters.map((name) => this.get(name));
  }

  /** The call's result was an in-kernel restart code. */
  get interrupted(): boolean {
    const result = this.number('rax');
    return this.syscall >= 0 && result <= ERESTARTSYS && result >= ERESTART_RESTARTBLOCK;
  }

  /** Makes the task repeat the call it was in, from its `syscall` instruction. */
  repeatCall(nr: number = this.syscall): this {
    return this.set('rax', nr)
      .set('rip', this.get('rip') - callInstructionSize)
      .set('orig_rax', -1);
  }

  /** Takes back that a call was about to be made, from its `syscall` instruction: it is one that was cut short by `code`. */
  undoRepeat(nr: number, code: number): this {
    return this.set('rip', this.get('rip') + callInstructionSize)
      .set('rax', code)
      .setCall(nr);
  }

  /** Sets a finished call's result; no restart logic of the kernel will touch it. */
  finishCall(result: number | bigint): this {
    return this.set('rax', result).set('orig_rax', -1);
  }

  /** For the escape handler: the registers in sigcontext order, then the mask. */
  escapeContext(mask: bigint): BigUint64Array {
    return BigUint64Array.from([...sigcontextOrder.map((name) => this.get(name)), mask]);
  }
}
