/** The CPU's debug registers as ptrace(2) writes them: Intel SDM volume 3, chapter "Debug registers"; asm/user_64.h. */

/** Of u_debugreg in struct user. */
const start = 848;

export const debugRegisters = {
  /** How many addresses can be watched: DR0 to DR3. */
  count: 4,
  /** DR7 says which of them count. */
  control: 7,
  offsetOf: (register: number): number => start + 8 * register,
  /** DR7 that watches the execution of the first `count` addresses: for each the local-enable bit; its type and length are 0. */
  executionOf: (count: number): number =>
    Array.from({ length: count }, (_, i) => 1 << (2 * i)).reduce((a, b) => a | b, 0),
} as const;
