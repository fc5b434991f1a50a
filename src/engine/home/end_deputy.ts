/** Ends a process away by its deputy, in the way that its body ended. */
import { kernel } from '../../sys/kernel.ts';
import { nr } from '../../sys/x64/numbers.ts';
import type { Deputy } from './deputy.ts';
import { dieOf } from './deputy_calls.ts';

const SIGKILL = 9;

/** @returns false when it has ended already, which is reported by itself */
export function endDeputy(deputy: Deputy, signal: number): boolean {
  const tasks = deputy.takeApart();
  const [main] = tasks;
  if (!main) return false;
  if (signal !== SIGKILL) {
    using session = deputy.stub.borrow(main);
    dieOf(deputy.stub, session, deputy.pid, signal);
    main.setSignalMask(0n);
  }
  for (const task of tasks) task.detach();
  if (signal === SIGKILL) kernel.call(nr.kill, deputy.pid, SIGKILL);
  return true;
}
