/**
 * Whether a process with an io_uring may leave: only while nothing happens in its rings, for away they are a copy.
 * What the kernel says of a ring is in /proc/PID/fdinfo (io_uring/fdinfo.c).
 */
import fs from 'node:fs';
import { descriptorTargets, livingThread, mappings, type Mapping } from '../../sys/procfs.ts';
import { StaysHome } from '../image/stays_home.ts';
import { ringName } from '../image/rings.ts';
import { CannotFreeze } from '../task/freeze.ts';
import { otherSharer } from './sole_mapper.ts';

/** Offsets at which the rings are mapped (linux/io_uring.h); at others there are buffers. */
const ringOffsets: readonly number[] = [0, 0x8000000, 0x10000000];

/**
 * @param seen what has been looked at already: its descriptors, and whether rings are mapped
 * @throws StaysHome, CannotFreeze while requests are under way
 */
export function refuseBusyRings(
  pid: number,
  seen?: { descriptors: ReadonlyMap<number, string>; rings: boolean },
): void {
  const view = livingThread(pid) ?? pid;
  const descriptors = [...(seen?.descriptors ?? descriptorTargets(view))].filter(([, target]) => target === ringName);
  const mapped = seen?.rings === false ? [] : mappings(view).filter(({ name }) => name === ringName);
  if (descriptors.length === 0 && mapped.length === 0) return;
  const open = new Set<number>();
  for (const [fd] of descriptors) {
    const about = fs.readFileSync(`/proc/${view}/fdinfo/${fd}`, 'latin1');
    refuseRing(pid, about, `its io_uring (descriptor ${fd})`);
    open.add(numberIn(about, 'ino'));
  }
  const inodes = new Set(mapped.map(({ inode }) => inode));
  for (const inode of open)
    // Such a ring may lie in memory of its own, which the kernel holds by its place at home.
    if (!inodes.has(inode)) throw new StaysHome(pid, 'it has an io_uring that it does not map');
  refuseMapped(pid, mapped, open);
}

function refuseRing(pid: number, about: string, which: string): void {
  if (numberIn(about, 'SqThread') !== -1) throw new StaysHome(pid, `the kernel looks after ${which} by itself`);
  if (numberIn(about, 'UserBufs') !== 0) throw new StaysHome(pid, `${which} has buffers in its memory`);
  // Each request is answered once, but for those that wait for more; these are in the list.
  const idle = numberIn(about, 'CachedSqHead') === numberIn(about, 'CachedCqTail');
  if (!idle || !/^PollList:\s*^CqOverflowList:/m.test(about))
    throw new CannotFreeze(pid, 'busy', `requests to ${which} are under way`);
}

function refuseMapped(pid: number, mapped: readonly Mapping[], open: ReadonlySet<number>): void {
  if (mapped.some(({ inode }) => !open.has(inode))) throw new StaysHome(pid, 'it maps an io_uring that is closed');
  if (mapped.some(({ offset }) => !ringOffsets.includes(offset)))
    throw new StaysHome(pid, 'it maps buffers of an io_uring');
  const keys = mapped.map(({ device, inode }) => `${device} ${inode}`);
  const other = otherSharer(pid, { keys, names: [] });
  if (other) throw new StaysHome(pid, `it shares an io_uring with process ${other.pid} (${other.name})`);
}

/** NaN where this kernel does not say it. */
function numberIn(about: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s*(-?\\d+)$`, 'm').exec(about)?.[1] ?? NaN);
}
