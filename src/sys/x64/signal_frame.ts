/** The frame that the kernel lays on the stack for a handler; struct rt_sigframe in arch/x86/include/asm/sigframe.h. */

/** Offsets from the stack pointer with which the handler begins: the return address, then struct ucontext. */
export const signalFrame = {
  /** uc_mcontext.gregs[REG_RIP]: where the program goes on. */
  rip: 8 + 40 + 16 * 8,
  /** uc_sigmask: the mask that comes back when the handler returns. */
  mask: 8 + 296,
} as const;
