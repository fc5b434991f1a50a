/** The home side's first words to a hosting node: who comes, with which files, on which clocks. */
import { livingThread, status } from '../sys/procfs.ts';
import { cpuFeatures } from '../sys/x64/cpu_features.ts';
import { protocolVersion } from '../wire/frames.ts';
import { Handshake } from '../wire/handshake.ts';
import { vdsoOf } from './capture.ts';
import { measureClockOffsets } from './clock_exchange.ts';
import type { Peer, Progress } from './departure_types.ts';
import type { FileSupply, WantedFile } from './file_supply.ts';
import { CannotFreeze } from './freeze.ts';
import type { Preparation } from './image.ts';
import { GuestLink } from './link.ts';
import type { Loop } from './loop.ts';

const connectDeadline = 5000;

/** Who dials. */
export interface Dialer {
  readonly loop: Loop;
  readonly node: string;
  readonly key: Uint8Array;
}

/** A link to a node's engine that has proved the cluster's key. @throws LinkClosed, HandshakeError, DeadlineExceeded */
export async function connectHost({ loop, node, key }: Dialer, peer: Peer): Promise<GuestLink> {
  const link = await GuestLink.connect(loop, peer, connectDeadline);
  try {
    await link.authenticate(new Handshake({ role: 'client', purpose: 'guest', name: node, key }), connectDeadline);
  } catch (error) {
    link.close();
    throw error;
  }
  return link;
}

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
