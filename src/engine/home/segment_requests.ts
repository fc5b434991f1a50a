/** System V shared memory that a program attaches away: its deputy attaches it first, so that home's kernel counts it. */
import { mappings } from '../../sys/procfs.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { frameType } from '../../wire/frames.ts';
import { isSegment } from '../image/mapping_key.ts';
import { mayUseMapFiles } from '../image/mapping_source.ts';
import { frameJson, type Frame, type GuestLink } from '../link/link.ts';
import type { Deputy } from './deputy.ts';
import type { InjectedCall } from '../task/stub.ts';
import type { AttachedSegment, FileSupply } from './file_supply.ts';

export interface SegmentHome {
  readonly deputy: Deputy;
  readonly supply: FileSupply;
  readonly link: GuestLink;
  /** Those that are away together, the program among them. */
  readonly company: readonly number[];
}

interface AttachRequest {
  tid: number;
  id: number;
  flags: number;
}

interface MoveRequest {
  tid: number;
  from: number;
  /** 0: it is not attached after all. */
  to: number;
  length: number;
}

const MREMAP_MAYMOVE_FIXED = 3;

/** @returns whether the frame was about segments */
export function forSegments(home: SegmentHome, frame: Frame): boolean {
  if (frame.type === frameType.attachSegment) {
    home.link.sendJson(frameType.mapped, attach(home, frameJson(frame)), frame.id);
    return true;
  }
  if (frame.type !== frameType.moveSegment) return false;
  const { tid, from, to, length } = frameJson<MoveRequest>(frame);
  // What is in the way there is as old as the deputy's memory.
  const call: InjectedCall = to === 0 ? [nr.shmdt, from] : [nr.mremap, from, length, length, MREMAP_MAYMOVE_FIXED, to];
  home.deputy.lend(tid, (session) => session.run([call]));
  return true;
}

function attach(home: SegmentHome, { tid, id, flags }: AttachRequest): AttachedSegment {
  const { deputy, supply, company } = home;
  if (!mayUseMapFiles()) return { comeHome: 'it attaches System V shared memory, which only root can open' };
  const address = deputy.lend(tid, (session) => session.run([[nr.shmat, id, 0, flags]])[0]);
  if (address < 0) return { failed: address };
  const mapping = mappings(deputy.stub.view).find(({ start }) => start === address);
  const answer =
    mapping && isSegment(mapping)
      ? supply.attach(mapping, company)
      : { comeHome: 'it attaches System V shared memory of huge pages' };
  if (answer.comeHome !== undefined) deputy.lend(tid, (session) => session.run([[nr.shmdt, address]]));
  return answer;
}
