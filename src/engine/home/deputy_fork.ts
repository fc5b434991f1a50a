/**
 * A fork at home: a deputy's thread makes it, and the child becomes a deputy with a stub of its own.
 * See docs/internals/families.md.
 */
import type { StoppedTask } from '../../sys/ptrace.ts';
import { cloneFlag, writeCloneArguments } from '../task/clone_arguments.ts';
import type { ForkRequest } from '../image/fork_messages.ts';
import type { Deputy } from './deputy.ts';
import { withSpareDescriptors } from '../task/spare_descriptors.ts';
import { layout, type Stub } from '../task/stub.ts';

export interface ForkedDeputy {
  pid: number;
  /** Stopped, and not parked yet. */
  task: StoppedTask;
  /** None of its own for a lodger, which has the parent's memory. */
  stub: Stub | undefined;
  /** In the parent's descriptor table, where one was asked for. */
  pidfd: number;
}

const pidfdAt = 120;

/** @returns -errno when the kernel refuses */
export function forkDeputy(deputy: Deputy, request: ForkRequest): ForkedDeputy | number {
  const { stub } = deputy;
  return deputy.lend(request.tid, (session) => {
    const call = writeCloneArguments(stub, { flags: request.flags, exitSignal: request.exitSignal, tid: 0 });
    stub.memory.write64(layout.scratch + 8, stub.scratchAddress(pidfdAt));
    const { result, task } = session.clone(call);
    if (!task) return result;
    const pidfd = stub.memory.i32[(layout.scratch + pidfdAt) >> 2];
    const lodger = (request.flags & cloneFlag.vm) !== 0;
    return {
      pid: task.tid,
      task,
      stub: lodger ? undefined : withSpareDescriptors(task, () => stub.renew(task)),
      pidfd,
    };
  });
}
