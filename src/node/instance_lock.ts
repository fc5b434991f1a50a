/** One mosd for each run directory: a lock on its pid file, which the kernel gives back however mosd ends (flock(2)). */
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';

import { kernel } from '../sys/kernel.ts';
import { nativeArchitecture, numberOn } from '../sys/syscall_numbers.ts';

const LOCK_EX = 2;
const LOCK_NB = 4;

/** Another mosd runs here. */
export class AlreadyRunningError extends Error {
  constructor(pid: string) {
    super(`Cannot start mosd: it already runs on this node${pid === '' ? '' : ` as process ${pid}`}`);
    this.name = 'AlreadyRunningError';
  }
}

/**
 * Takes the lock and writes this process's pid; it is held until it is disposed of or this process ends.
 * @throws AlreadyRunningError
 */
export function lockInstance(file: string): Disposable {
  const fd = openSync(file, 'a+', 0o644);
  const result = kernel.call(numberOn('flock', nativeArchitecture) ?? -1, fd, LOCK_EX | LOCK_NB);
  if (result < 0) {
    closeSync(fd);
    throw new AlreadyRunningError(readFileSync(file, 'utf8').trim());
  }
  ftruncateSync(fd);
  writeSync(fd, `${process.pid}\n`);
  return {
    [Symbol.dispose]: () => {
      ftruncateSync(fd); // a pid that comes again must not be taken for ours
      closeSync(fd);
    },
  };
}
