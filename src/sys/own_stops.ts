/**
 * Stops on the way of a task that runs for us: which are the work of what it runs, and how to get past all others.
 *
 * A signal cannot be kept from acting by a mask when it is SIGSTOP, and a process may already be in a group stop, or come
 * into one, or leave it, while one of its tasks makes calls for us. The kernel's group stop is left alone in all of this:
 * SIGSTOP is delivered where it shows, so that the kernel makes the stop, tells the parent once, and undoes it at SIGCONT;
 * the task itself runs on all the same, for PTRACE_CONT runs it while the group stop stays in effect, and after
 * PTRACE_LISTEN or PTRACE_DETACH it is stopped like the others (kernel/signal.c: do_signal_stop, do_jobctl_trap;
 * kernel/ptrace.c: __ptrace_unlink).
 */
import { RunningTask, type StoppedTask } from './ptrace.ts';

export const SIGSTOP = 19;

/**
 * Leaves any stop for an event stop without executing an instruction; a signal that was about to be delivered is dropped.
 * If the tracer dies after it, the task goes on with its own registers, and gets no SIGTRAP of ours.
 */
export function stopAgain(task: StoppedTask): StoppedTask {
  const running = new RunningTask(task.tid);
  running.interrupt();
  task.resume();
  return running.waitStop();
}

/** Lets a task go on as its process does: in a group stop it stays stopped, and sees SIGCONT. */
export function goOn(task: StoppedTask): RunningTask {
  return task.groupStop() ? task.listen() : task.resume();
}

/** Delivers a signal where it shows; the task's next stop is an event stop, in the group stop if the signal made one. */
export function deliverAndStop(task: StoppedTask): RunningTask {
  new RunningTask(task.tid).interrupt();
  return task.resume(task.signal);
}
