/** A process whose body was lost before it could do anything goes on at home, from where it was stopped. */
import type { Deputy } from './deputy.ts';
import type { ProcessImage } from '../image/image.ts';
import type { Loop } from '../link/loop.ts';
import { setMemoryLimits } from '../image/restore.ts';
import { resumeAtHome, setUpAtHome } from './take_back.ts';

/** The deputy's memory is as it was: puts its threads back. */
export function resumeUntouched(loop: Loop, deputy: Deputy, image: ProcessImage): void {
  const tasks = deputy.takeApart();
  if (tasks.length > 0) {
    image.signals.push(...deputy.signalsAfter(0));
    setUpAtHome(deputy.stub, tasks[0], image);
    resumeAtHome(loop, deputy.stub, { tasks }, image);
  }
  setMemoryLimits(deputy.pid, image.limits);
}
