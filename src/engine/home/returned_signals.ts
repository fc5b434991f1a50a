/**
 * Signals of a body that comes home are queued in the deputy, where SIGCONT and stop signals arrive at the same time. The
 * kernel lets each of them make void what waits of the other (prepare_signal in kernel/signal.c): what comes from the body
 * is older than what arrives here, but is queued after it.
 */
import { signalSets } from '../../sys/procfs.ts';
import type { StoppedTask } from '../../sys/ptrace.ts';
import { nr } from '../../sys/x64/numbers.ts';
import type { SignalImage } from '../image/image.ts';
import { bitOf, imageOf, queueSignal, stillDue, stopMask, takeOne } from '../image/pending_signals.ts';
import { setActionTable, signalActionCall } from '../image/restore.ts';
import { isUnheard } from '../task/masked_calls.ts';
import { SIGCONT, stopSignals } from '../task/default_actions.ts';
import type { Injection, Stub } from '../task/stub.ts';

const siginfoSize = 128;

/** Queues what is still due of the signals that came; each thread queues its own, the main thread those of the process. */
export function queueReturned(stub: Stub, tasks: readonly StoppedTask[], signals: readonly SignalImage[]): void {
  tasks.forEach((task, index) => {
    const isOwn = ({ tid, signal }: SignalImage): boolean =>
      (tid === task.tid || (index === 0 && tid === 0)) && !isUnheard(task, signal);
    if (!signals.some(isOwn)) return;
    using session = stub.borrow(task);
    session.run([[nr.getpid]]); // a SIGCONT from before we look has it trap now
    session.trapped = false;
    const due = stillDue(signals, tasks).filter(isOwn);
    const by = { pid: stub.pid, tid: task.tid };
    for (const signal of due) queueSignal(stub, session, by, signal);
    if (session.trapped && due.some(({ signal }) => stopSignals.has(signal))) takeStopsBack(stub, session, by);
  });
}

/**
 * What came while the thread was traced, and means nothing to the wait that it is to go back into (`isUnheard`): a traced task
 * keeps what others would never see.
 */
export function dropUnheard(stub: Stub, task: StoppedTask): void {
  const { pending } = signalSets(task.tid);
  let unheard = 0n;
  for (let signal = 1; signal <= 64; signal++)
    if ((pending & bitOf(signal)) !== 0n && isUnheard(task, signal)) unheard |= bitOf(signal);
  if (unheard === 0n) return;
  using session = stub.borrow(task);
  while (takeOne(stub, session, unheard));
}

/** SIGCONT came while stop signals were being queued that are older: if it came before one of them, it was made void. */
function takeStopsBack(stub: Stub, session: Injection, by: { pid: number; tid: number }): void {
  if ((signalSets(by.tid).pending & bitOf(SIGCONT)) !== 0n) return; // they were made void
  if (session.groupStopped) return; // SIGSTOP has come after it, and the next SIGCONT makes void all that waits
  while (takeOne(stub, session, stopMask));
  const info = Buffer.alloc(siginfoSize);
  info.writeInt32LE(SIGCONT, 0);
  queueSignal(stub, session, by, imageOf(SIGCONT, info, 0));
}

/**
 * Sets the program's action for SIGCONT; last of all, for to ignore it, as is the default, takes one out of the queue that
 * waits there (do_sigaction in kernel/signal.c), and nobody would see that it has come.
 */
export function setContinueAction(stub: Stub, main: StoppedTask, actions: string): void {
  using session = stub.borrow(main);
  setActionTable(stub, actions);
  session.must('set the action of SIGCONT', [signalActionCall(stub, SIGCONT)]);
}
