/** Children that were made at home and could not be made where their parent's body is: it must never hear of them. */
import { kernel } from '../../sys/kernel.ts';
import type { StoppedTask } from '../../sys/ptrace.ts';
import { nr } from '../../sys/x64/numbers.ts';
import type { Stub } from '../task/stub.ts';

const SIGCHLD = 17;
const SIGKILL = 9;
const WNOHANG = 1;
const WALL = 0x40000000;

export class Disowned {
  readonly #pids = new Set<number>();

  add(pid: number): void {
    this.#pids.add(pid);
    kernel.call(nr.kill, pid, SIGKILL);
  }

  /** Whether a signal that is about to be delivered only tells of such a child's end; then the child is awaited. */
  takes(stub: Stub, stop: StoppedTask): boolean {
    if (this.#pids.size === 0 || stop.signal !== SIGCHLD) return false;
    const info = stop.signalInfo();
    const pid = new DataView(info.buffer, info.byteOffset).getInt32(16, true);
    if (!this.#pids.delete(pid)) return false;
    using session = stub.borrow(stop);
    session.run([[nr.wait4, pid, 0, WNOHANG | WALL, 0]]);
    return true;
  }
}
