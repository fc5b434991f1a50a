/**
 * A berth: the empty surroundings in which one body lives. A blank process has left all namespaces of the hosting node
 * (blanks.ts), its child becomes pid 1 of the new pid namespace, and the body is a child of that with the same pid as at
 * home. The body's user id is unprivileged and used by nobody else.
 */
import fs from 'node:fs';
import type { Preparation } from '../image/image.ts';
import { kernel } from '../../sys/kernel.ts';
import { StoppedTask } from '../../sys/ptrace.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { writeCloneArguments } from '../task/clone_arguments.ts';
import type { Blank } from './blanks.ts';
import { layout, Stub, stepCall, syscallInstruction } from '../task/stub.ts';

const SIGCHLD = 17;
/** First of the unprivileged ids that guests use; far above what distributions hand out. */
const firstGuestId = 1_900_000_000;

interface BerthOptions {
  pid: number;
  /** The program's real user id, as which the body knows its own: it is in the siginfo of signals that it sends. */
  uid: number;
  stubBase: number;
  /** Added to this host's clocks, nanoseconds; see timens_offsets in time_namespaces(7). */
  monotonicOffset: bigint;
  boottimeOffset: bigint;
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

  /** If it throws, the blank process is the caller's to discard. @param offsets of this host's own time namespace */
  static create(p: Preparation, blank: Blank, offsets: { monotonic: bigint; boottime: bigint }): Berth {
    const options: BerthOptions = {
      pid: p.pid,
      uid: p.realUid,
      stubBase: p.stubBase,
      monotonicOffset: BigInt(p.clockOffsets.monotonic) + offsets.monotonic,
      boottimeOffset: BigInt(p.clockOffsets.boottime) + offsets.boottime,
    };
    const { pid: outer, stub: outerStub } = blank;
    let init = 0;
    try {
      init = createInit(blank, options);
      const body = createBody(outerStub, init, options);
      stepCall(body, syscallInstruction(body.tid), nr.munmap, outerStub.base, layout.size);
      return new Berth(outer, init, body, Stub.install(body, body.tid, { base: options.stubBase }));
    } catch (error) {
      if (init) kernel.call(nr.kill, init, 9);
      throw error;
    } finally {
      outerStub.release();
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

function createInit({ number, pid: outer, task: first, stub }: Blank, options: BerthOptions): number {
  using session = stub.borrow(first);
  fs.writeFileSync(`/proc/${outer}/setgroups`, 'deny');
  const id = guestIds(number);
  fs.writeFileSync(`/proc/${outer}/uid_map`, `${options.uid} ${id.user} 1`);
  fs.writeFileSync(`/proc/${outer}/gid_map`, `0 ${id.group} 1`);
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
  return task.tid;
}

/** The ids that a guest has on the hosting node: ones that nobody else has, or ours, if we may give no others (user_namespaces(7)). */
function guestIds(number: number): { user: number; group: number } {
  const user = process.geteuid?.() ?? 0;
  if (user !== 0) return { user, group: process.getegid?.() ?? 0 };
  return { user: firstGuestId + number, group: firstGuestId + number };
}

function clockText(offset: bigint): string {
  const second = 1_000_000_000n;
  const seconds = offset >= 0n ? offset / second : -((-offset + second - 1n) / second);
  return `${seconds} ${offset - seconds * second}`;
}

function createBody(stub: Stub, init: number, options: BerthOptions): StoppedTask {
  using session = stub.borrow(new StoppedTask(init, 5, 0));
  const { result, task } = session.clone(writeCloneArguments(stub, { flags: 0, exitSignal: 17, tid: options.pid }));
  if (task) return task;
  const most = Number(fs.readFileSync('/proc/sys/kernel/pid_max', 'latin1'));
  const reason = options.pid >= most ? `ids end at ${most} here (kernel.pid_max)` : `clone3 gave ${result}`;
  throw new Error(`Cannot create a body with process id ${options.pid}: ${reason}`);
}
