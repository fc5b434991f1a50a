/** What a body's node sends that concerns the deputy alone. */
import type { TaskStatus } from '../../sys/ptrace.ts';
import { frameType } from '../../wire/frames.ts';
import { frameJson, type Frame } from '../link/link.ts';
import type { Deputy } from './deputy.ts';

/** Has the deputy do what the frame says. @returns whether it was one of these */
export function forDeputy(deputy: Deputy, frame: Frame): boolean {
  switch (frame.type) {
    case frameType.request:
      deputy.onRequest(frame);
      return true;
    case frameType.largeRequest:
      deputy.onLargeRequest(frame);
      return true;
    case frameType.bulk:
      deputy.onBulk(frame);
      return true;
    case frameType.interrupt:
      deputy.interrupt(frame.id);
      return true;
    case frameType.thread:
      deputy.reply(frame.id, deputy.createThread(frameJson(frame)));
      return true;
    case frameType.unborn:
      deputy.disowned.add(frameJson<{ pid: number }>(frame).pid);
      return true;
    case frameType.lodgerEnded: {
      const { tid, status } = frameJson<{ tid: number; status: TaskStatus }>(frame);
      if (status.kind === 'killed') deputy.endLodger(tid, status.signal);
      return true;
    }
    case frameType.threadEnded: {
      const { tid, code } = frameJson<{ tid: number; code: number }>(frame);
      deputy.endThread(tid, code);
      return true;
    }
    case frameType.mirrorAction: {
      const { tid, signal, action } = frameJson<{ tid: number; signal: number; action: string }>(frame);
      deputy.mirrorAction(tid, frame.id, signal, Buffer.from(action, 'base64'));
      return true;
    }
    case frameType.signalTaken: {
      const { signal, continues, lodger } = frameJson<{ signal: number; continues: number; lodger?: number }>(frame);
      deputy.takeStop(signal, continues, lodger);
      return true;
    }
    default:
      return false;
  }
}
