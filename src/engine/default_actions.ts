/** Default actions of signals; signal(7). */

/** The process stops. */
export const stopSignals: ReadonlySet<number> = new Set([19, 20, 21, 22]);
/** The process ends with a core dump. */
export const coreSignals: ReadonlySet<number> = new Set([3, 4, 5, 6, 7, 8, 11, 24, 25, 31]);
/** Nothing happens. */
export const ignoredByDefault: ReadonlySet<number> = new Set([17, 18, 23, 28]);
