/**
 * SIGTTIN and SIGTTOU: the kernel stops a process in the background that reads its terminal or changes it, unless the
 * thread blocks the signal or the process ignores it (__tty_check_change in drivers/tty/tty_jobctrl.c).
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { numberOf } from './syscalls.ts';

const SIGTTIN = 1 << 20;
const SIGTTOU = 1 << 21;

/** Which of the two a call can bring about. */
const callers: ReadonlyMap<number, number> = new Map([
  [numberOf('read'), SIGTTIN],
  [numberOf('readv'), SIGTTIN],
  [numberOf('preadv2'), SIGTTIN],
  [numberOf('write'), SIGTTOU],
  [numberOf('writev'), SIGTTOU],
  [numberOf('pwritev2'), SIGTTOU],
  [numberOf('sendfile'), SIGTTIN | SIGTTOU],
  [numberOf('splice'), SIGTTIN | SIGTTOU],
]);

/** Fields of /proc/PID/stat, without the name, which may hold spaces; the first is the state (proc(5), field 3). */
function statFields(text: string): string[] {
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

const bytes = Buffer.alloc(1024);

/** Of a thread: asked before each call that may need it, hence the open file, which costs two microseconds. */
export class TerminalMask implements Disposable {
  readonly #tid: number;
  #file: number | undefined;

  constructor(tid: number) {
    this.#tid = tid;
  }

  /** Those signals that this call can bring about and that the thread blocks; 0 if it has ended. */
  blockedIn(number: number): number {
    const signals = callers.get(number);
    if (signals === undefined) return 0;
    try {
      this.#file ??= openSync(`/proc/${this.#tid}/task/${this.#tid}/stat`, 'r');
      const fields = statFields(bytes.toString('latin1', 0, readSync(this.#file, bytes, 0, bytes.length, 0)));
      return Number(fields[29]) & signals; // field 32: the mask's lower 31 signals
    } catch {
      return 0;
    }
  }

  [Symbol.dispose](): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }
}

/** Whether a process has a terminal that is another group's at present. */
export function isInBackground(pid: number): boolean {
  try {
    const [, , group, , terminal, owner] = statFields(readFileSync(`/proc/${pid}/stat`, 'latin1'));
    return terminal !== '0' && Number(owner) > 0 && owner !== group;
  } catch {
    return false;
  }
}
