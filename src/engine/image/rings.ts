/**
 * The memory of io_uring(7)'s rings, which program and kernel share. Away it is a copy: nothing happens in it, since a
 * process leaves only while no request is under way (home/idle_rings.ts), and io_uring_enter(2) brings it home. There
 * the copy is written back into the rings, which have stayed where they were.
 */
import type { Mapping } from '../../sys/procfs.ts';
import { protectionOf, type MappingImage } from './image.ts';

/** As in /proc/PID/maps and /proc/PID/fd. */
export const ringName = 'anon_inode:[io_uring]';

/** Sets the copy apart from memory beside it, and from what is mapped in its place later. */
const setApart = 'dd';

export function ringImage(m: Mapping): MappingImage {
  const { start, end } = m;
  const protection = protectionOf(m.permissions);
  return { start, end, protection, file: -1, offset: 0, shared: false, ring: true, flags: [setApart], name: '' };
}

/** The mappings of a body, cut where home has rings; what is a copy of them still is marked. */
export function markRings(body: readonly MappingImage[], home: readonly MappingImage[]): MappingImage[] {
  const rings = home.filter(({ ring }) => ring);
  return body.flatMap((m) => {
    if (m.file >= 0 || !m.flags.includes(setApart)) return [m];
    const out: MappingImage[] = [];
    let from = m.start;
    for (const ring of rings) {
      const [start, end] = [Math.max(from, ring.start), Math.min(m.end, ring.end)];
      if (start >= end) continue;
      if (from < start) out.push({ ...m, start: from, end: start });
      out.push({ ...m, start, end, ring: true, flags: [] });
      from = end;
    }
    if (from < m.end) out.push({ ...m, start: from });
    return out;
  });
}
