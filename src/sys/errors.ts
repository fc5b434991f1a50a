/** Failures of system calls. */
import os from 'node:os';

const names = new Map(Object.entries(os.constants.errno).map(([name, value]) => [value, name]));

/** The name of an error number (positive), e.g. ENOENT. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? `errno ${errno}`;
}

/** A system call failed. `errno` is positive. */
export class SystemCallError extends Error {
  readonly call: string;
  readonly errno: number;
  readonly code: string;

  constructor(name: string, result: number, context: Readonly<Record<string, unknown>> = {}) {
    const details = Object.entries(context)
      .map(([key, value]) => `${key}=${String(value)}`)
      .join(' ');
    super(`Cannot ${name}${details ? ` (${details})` : ''}: ${errnoName(-result)}`);
    this.name = 'SystemCallError';
    this.call = name;
    this.errno = -result;
    this.code = errnoName(-result);
  }
}

/** @returns `result` when it is not an error @throws SystemCallError */
export function must(result: number, name: string, context?: Readonly<Record<string, unknown>>): number {
  if (result < 0) throw new SystemCallError(name, result, context);
  return result;
}
