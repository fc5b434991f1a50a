/**
 * A vfork that began away and came home: child and parent have one memory again, natively, and the parent's thread must
 * not go on before the child has executed a program or ended. Nobody but us can hold it: until then both stay traced.
 */
import { goOn } from '../../sys/own_stops.ts';
import { StoppedTask, traceEvent, traceOption } from '../../sys/ptrace.ts';
import { stopSignals } from '../task/default_actions.ts';
import type { Loop } from '../link/loop.ts';

export function holdUntilGone(loop: Loop, parent: StoppedTask, child: StoppedTask): void {
  loop.discardTask(parent.tid);
  child.setOptions(traceOption.exec);
  loop.onTask(child.tid, (status) => {
    if (status.kind !== 'stopped' || status.event === traceEvent.exec) {
      loop.forgetTask(child.tid);
      loop.forgetTask(parent.tid);
      if (status.kind === 'stopped') child.detach();
      return parent.detach();
    }
    const stop = new StoppedTask(child.tid, status.signal, status.event);
    if (stop.event === traceEvent.stop && stopSignals.has(stop.signal)) stop.listen();
    else stop.resume(stop.event === 0 ? stop.signal : 0);
  });
  goOn(child);
}
