/**
 * Blank processes that have left all namespaces of the hosting node and see an empty root, a few of them made ahead:
 * nothing of a guest is needed for that, so no arrival has to wait for it. Each stands still, and dies with this engine.
 * It is in its cgroup already, since moving a process into one waits until all CPUs have been through the scheduler
 * (cgroup_attach_lock in kernel/cgroup/cgroup.c).
 */
import fs from 'node:fs';
import { spawnBlank } from '../../sys/children.ts';
import { kernel } from '../../sys/kernel.ts';
import { RunningTask, traceOption, type StoppedTask } from '../../sys/ptrace.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { guestCgroup, removeCgroup } from './cgroup.ts';
import type { Loop } from '../link/loop.ts';
import { layout, Stub, type InjectedCall, type Injection } from '../task/stub.ts';

export const bodyOptions =
  traceOption.calls | traceOption.clone | traceOption.fork | traceOption.vfork | traceOption.exitKill;

const CLONE_NEW = {
  user: 0x10000000,
  pid: 0x20000000,
  mount: 0x20000,
  net: 0x40000000,
  ipc: 0x08000000,
  uts: 0x04000000,
  time: 0x80,
};
const everyNamespace = Object.values(CLONE_NEW).reduce((all, flag) => all | flag, 0);
const MS_RDONLY = 1;
const MS_NOSUID_NODEV_NOEXEC = 2 | 4 | 8;
const MS_REMOUNT = 0x20;
const MS_PRIVATE_RECURSIVE = 0x40000 | 0x4000;
const MNT_DETACH = 2;
const pivotRoot = 155;
const SIGCHLD = 17;
const SIGKILL = 9;

/** Kept ready by each thread: guests seldom come more than two at a time, and a network namespace takes memory. */
const keptReady = 2;
/** Milliseconds: what has just arrived is served first. */
const refillAfter = 300;
/** How often and how long one looks whether all have ended, milliseconds. */
const closeLook = 5;
const closeLooks = 100;

export interface Blank {
  /** Distinct for every guest of this engine at a time. */
  readonly number: number;
  readonly pid: number;
  readonly task: StoppedTask;
  readonly stub: Stub;
  readonly cgroup: string | undefined;
}

export class Blanks {
  readonly #loop: Loop;
  readonly #nextNumber: () => number;
  readonly #ready: Blank[] = [];
  #refilling = false;
  #closed = false;

  /** @param nextNumber gives numbers that no other guest of this engine has */
  constructor(loop: Loop, nextNumber: () => number) {
    this.#loop = loop;
    this.#nextNumber = nextNumber;
    this.#refillSoon();
  }

  /** One that lives. @throws SystemCallError when none can be made */
  take(): Blank {
    const blank = this.#ready.shift();
    this.#refillSoon();
    if (!blank) return this.#make();
    this.#loop.forgetTask(blank.pid);
    return blank;
  }

  /** The engine stops: none is left, and no cgroup either. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { pid } of this.#ready) kernel.call(nr.kill, pid, SIGKILL);
    for (let left = closeLooks; left > 0 && this.#ready.length > 0; left--) await this.#loop.sleep(closeLook);
  }

  #refillSoon(): void {
    if (this.#refilling) return;
    this.#refilling = true;
    this.#loop.after(refillAfter, () => {
      if (this.#closed) return;
      this.#refilling = false;
      this.#refill();
    });
  }

  #refill(): void {
    let blank: Blank;
    try {
      blank = this.#make();
    } catch {
      return; // it is tried again when a guest comes, which is then told why
    }
    this.#ready.push(blank);
    this.#loop.onTask(blank.pid, (status) => {
      if (status.kind === 'stopped') return;
      this.#loop.forgetTask(blank.pid);
      this.#ready.splice(this.#ready.indexOf(blank), 1);
      blank.stub.release();
      if (blank.cgroup) removeCgroup(this.#loop, blank.cgroup);
    });
    if (this.#ready.length < keptReady) this.#refillSoon();
  }

  #make(): Blank {
    const number = this.#nextNumber();
    const cgroup = guestCgroup(number);
    const pid = spawnBlank();
    try {
      if (cgroup) fs.writeFileSync(`${cgroup}/cgroup.procs`, String(pid));
      return { number, pid, cgroup, ...leaveHost(pid) };
    } catch (error) {
      this.discard({ pid, cgroup });
      throw error;
    }
  }

  /** It is of no use. */
  discard({ pid, cgroup }: Pick<Blank, 'pid' | 'cgroup'>): void {
    this.#loop.discardTask(pid);
    kernel.call(nr.kill, pid, SIGKILL);
    if (cgroup) removeCgroup(this.#loop, cgroup);
  }
}

function leaveHost(pid: number): Pick<Blank, 'task' | 'stub'> {
  const running = RunningTask.seize(pid, bodyOptions);
  if (running instanceof Error) throw running;
  running.interrupt();
  const task = running.waitStop();
  const stub = Stub.install(task, pid);
  try {
    using session = stub.borrow(task);
    session.must('leave the namespaces', [
      [nr.close_range, 0, 0xffffffff, 0],
      [nr.unshare, everyNamespace],
    ]);
    emptyRoot(stub, session);
    return { task, stub };
  } catch (error) {
    stub.release();
    throw error;
  }
}

/** An empty read-only root, from which nothing of the host can be reached, and which keeps none of its mounts busy. */
function emptyRoot(stub: Stub, session: Injection): void {
  const ignored = 0;
  let at = 32;
  const text = (value: string): number => {
    const bytes = Buffer.from(value + '\0');
    stub.memory.u8.set(bytes, layout.scratch + at);
    at += bytes.length;
    return stub.scratchAddress(at - bytes.length);
  };
  const none = text('none');
  const root = text('/');
  const here = text('.');
  const place = text('/tmp');
  const kind = text('tmpfs');
  const size = text('size=4k,nr_inodes=8');
  // Bodies that end are taken away by the kernel: their ids are free at once (wait(2), "SIGCHLD to SIG_IGN").
  stub.writeAction(ignored, { handler: 1n, flags: 0n, restorer: 0n, mask: 0n });
  const calls: InjectedCall[] = [
    [nr.rt_sigaction, SIGCHLD, stub.scratchAddress(ignored), 0, 8],
    [nr.mount, none, root, 0, MS_PRIVATE_RECURSIVE, 0],
    [nr.mount, kind, place, kind, MS_NOSUID_NODEV_NOEXEC, size],
    [nr.chdir, place],
    [pivotRoot, here, here],
    [nr.umount2, here, MNT_DETACH],
    [nr.chdir, root],
    [nr.mount, none, root, 0, MS_REMOUNT | MS_RDONLY | MS_NOSUID_NODEV_NOEXEC, 0],
  ];
  session.must('make an empty root', calls);
}
