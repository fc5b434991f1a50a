/** The home side's first words to a hosting node: who comes, with which files, on which clocks. */
import { livingThread, status } from '../../sys/procfs.ts';
import { cpuFeatures } from '../../sys/x64/cpu_features.ts';
import { protocolVersion } from '../../wire/frames.ts';
import { vdsoOf } from '../image/capture.ts';
import { measureClockOffsets } from '../image/clock_exchange.ts';
import type { Progress } from '../image/departure_types.ts';
import type { FileSupply } from './file_supply.ts';
import type { WantedFile } from '../image/mapped_files.ts';
import { CannotFreeze } from '../task/freeze.ts';
import type { Preparation } from '../image/image.ts';
import type { GuestLink } from '../link/link.ts';

/**
 * Has a node prepare a body for a process and take what it lacks of the mapped files.
 * @returns the ticket for the node that the body comes from, with `onward`
 * @throws StaysHome when it refuses, CannotFreeze, LinkClosed
 */
export async function prepareHost(
  link: GuestLink,
  who: { pid: number; uid: number; command: string; home: string; stubBase: number; onward: boolean },
  content: { supply: FileSupply; files: WantedFile[]; progress: Progress },
): Promise<string> {
  const vdso = vdsoOf(livingThread(who.pid) ?? who.pid);
  if (vdso.digest === '') throw new CannotFreeze(who.pid, 'busy', 'it is executing a program just now');
  const preparation: Preparation & { version: number } = {
    ...who,
    version: protocolVersion,
    realUid: Number(status(who.pid).get('Uid')?.split('\t')[0] ?? 0),
    files: content.files,
    clockOffsets: await measureClockOffsets(link),
    vdso,
    cpuFeatures: cpuFeatures(),
    moves: 1,
  };
  return content.supply.send(link, preparation, content.progress);
}
