/**
 * A berth: the empty surroundings in which one body lives. A blank process leaves all namespaces of the hosting node
 * (user, pid, mount, net, ipc, uts, time), its child becomes pid 1 of the new pid namespace with an empty root, and the
 * body is a child of that with the same pid as at home. The body's user id is unprivileged and used by nobody else.
 */
import fs from 'node:fs';
import { spawnBlank } from '../../sys/children.ts';
import type { Preparation } from '../image/image.ts';
import { kernel } from '../../sys/kernel.ts';
import { RunningTask, StoppedTask, traceOption } from '../../sys/ptrace.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { writeCloneArguments } from '../task/clone_arguments.ts';
import { layout, Stub, stepCall, syscallInstruction, type InjectedCall } from '../task/stub.ts';

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
/** First of the unprivileged ids that guests use; far above what distributions hand out. */
const firstGuestId = 1_900_000_000;

export interface BerthOptions {
  pid: number;
  /** The program's real user id, as which the body knows its own: it is in the siginfo of signals that it sends. */
  uid: number;
  /** Distinct for every guest of this engine at a time. */
  guestNumber: number;
  stubBase: number;
  /** Added to this host's clocks, nanoseconds; see timens_offsets in time_namespaces(7). */
  monotonicOffset: bigint;
  boottimeOffset: bigint;
  cgroup: string | undefined;
}

export class Berth {
  /** The blank body, stopped. */
  readonly body: StoppedTask;
  /** Its stub. */
  readonly stub: Stub;
  readonly #outer: number;
  readonly #init: number;

  private constructor(outer: number, init: number, body: StoppedTask, stub: Stub) {
    this.#outer = outer;
    this.#init = init;
    this.body = body;
    this.stub = stub;
  }

  /** @param offsets of this host's own time namespace */
  static create(
    p: Preparation,
    here: { guestNumber: number; cgroup: string | undefined; offsets: { monotonic: bigint; boottime: bigint } },
  ): Berth {
    const options: BerthOptions = {
      ...here,
      pid: p.pid,
      uid: p.realUid,
      stubBase: p.stubBase,
      monotonicOffset: BigInt(p.clockOffsets.monotonic) + here.offsets.monotonic,
      boottimeOffset: BigInt(p.clockOffsets.boottime) + here.offsets.boottime,
    };
    const outer = spawnBlank();
    let init = 0;
    try {
      if (options.cgroup) fs.writeFileSync(`${options.cgroup}/cgroup.procs`, String(outer));
      const first = stop(outer);
      const outerStub = Stub.install(first, outer);
      try {
        init = createInit(outerStub, first, outer, options);
        const body = createBody(outerStub, init, options);
        stepCall(body, syscallInstruction(body.tid), nr.munmap, outerStub.base, layout.size);
        return new Berth(outer, init, body, Stub.install(body, body.tid, { base: options.stubBase }));
      } finally {
        outerStub.release();
      }
    } catch (error) {
      kernel.call(nr.kill, outer, 9);
      if (init) kernel.call(nr.kill, init, 9);
      throw error;
    }
  }

  /** Host process ids that belong to the berth; the loop must claim their end. */
  get processes(): readonly number[] {
    return [this.#outer, this.#init];
  }

  /** Ends everything in the berth: killing pid 1 kills the pid namespace. */
  destroy(): void {
    kernel.call(nr.kill, this.#init, 9);
    kernel.call(nr.kill, this.#outer, 9);
  }
}

function stop(pid: number): StoppedTask {
  const task = RunningTask.seize(pid, bodyOptions);
  if (task instanceof Error) throw task;
  task.interrupt();
  return task.waitStop();
}

function createInit(stub: Stub, first: StoppedTask, outer: number, options: BerthOptions): number {
  using session = stub.borrow(first);
  session.must('leave the namespaces', [
    [nr.close_range, 0, 0xffffffff, 0],
    [nr.unshare, everyNamespace],
  ]);
  fs.writeFileSync(`/proc/${outer}/setgroups`, 'deny');
  const id = firstGuestId + options.guestNumber;
  fs.writeFileSync(`/proc/${outer}/uid_map`, `${options.uid} ${id} 1`);
  fs.writeFileSync(`/proc/${outer}/gid_map`, `0 ${id} 1`);
  fs.writeFileSync(
    `/proc/${outer}/timens_offsets`,
    `monotonic ${clockText(options.monotonicOffset)}\nboottime ${clockText(options.boottimeOffset)}\n`,
  );
  session.must('take the guest identity', [
    [nr.setresgid, 0, 0, 0],
    [nr.setresuid, options.uid, options.uid, options.uid],
  ]);
  const { task } = session.clone([nr.clone, SIGCHLD, 0, 0, 0, 0]);
  if (!task) throw new Error('Cannot create a berth: clone gave no child');
  emptyRoot(stub, task);
  return task.tid;
}

function clockText(offset: bigint): string {
  const second = 1_000_000_000n;
  const seconds = offset >= 0n ? offset / second : -((-offset + second - 1n) / second);
  return `${seconds} ${offset - seconds * second}`;
}

/** Gives pid 1 an empty read-only root, from which nothing of the host can be reached. */
function emptyRoot(stub: Stub, init: StoppedTask): void {
  using session = stub.borrow(init);
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

function createBody(stub: Stub, init: number, options: BerthOptions): StoppedTask {
  using session = stub.borrow(new StoppedTask(init, 5, 0));
  const { result, task } = session.clone(writeCloneArguments(stub, { flags: 0, exitSignal: 17, tid: options.pid }));
  if (!task) throw new Error(`Cannot create a body with process id ${options.pid}: clone3 gave ${result}`);
  return task;
}
