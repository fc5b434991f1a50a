/** A process between vfork and exec on its way home, together with the one whose memory it borrows. */
import type { StoppedTask } from '../../sys/ptrace.ts';
import { captureThreads } from './capture.ts';
import type { FrozenTask } from '../task/frozen_task.ts';
import type { LodgerImage } from './image.ts';
import { queueSignals, signalImage, waitingSignals } from './pending_signals.ts';
import { actionCalls, registrationCalls, setThreadContext } from './restore.ts';
import { layout, type Stub } from '../task/stub.ts';

/** @param ids of the lodger and of the thread that waits for it, as they are at home */
export function captureLodger(stub: Stub, frozen: FrozenTask, ids: { tid: number; waiting: number }): LodgerImage {
  const { threads, actions } = captureThreads(stub, [frozen]);
  const { task, pendingSignal } = frozen;
  const interrupted = pendingSignal ? [signalImage(ids.tid, ids.tid, pendingSignal)] : [];
  const signals = [...interrupted, ...waitingSignals([task], 0n)];
  return {
    thread: { ...threads[0], tid: ids.tid },
    actions: actions.toString('base64'),
    waiting: ids.waiting,
    signals: signals.map((signal) => ({ ...signal, tid: signal.tid && ids.tid })),
  };
}

/** Gives a lodger's deputy what its body had; the memory is its parent's, and there already. */
export function restoreLodger(stub: Stub, task: StoppedTask, image: LodgerImage, instruction: number): void {
  {
    using session = stub.borrow(task);
    Buffer.from(image.actions, 'base64').copy(stub.memory.buffer, layout.scratch + 256);
    session.run(actionCalls(stub.scratchAddress(256)));
    session.run(registrationCalls(stub, image.thread));
  }
  setThreadContext(task, image.thread);
  // Nobody attends to it any more: it sees how much was written.
  if (image.thread.written) task.setRegisters(task.registers().finishCall(image.thread.written));
  queueSignals(stub, image.thread.tid, [{ tid: image.thread.tid, task }], image.signals);
  stub.restoreTrapAction(task, instruction);
}
