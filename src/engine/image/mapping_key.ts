/**
 * Which file a mapping is of, so that two processes that map the same one have the same key. A segment of System V shared
 * memory is a file of the kernel's own tmpfs: its inode number is its id (ipc/shm.c), which others count as well. The
 * inodes of other memory there may have the same number, and so may segments of other IPC namespaces, which were made at
 * another time. See docs/internals/sharing.md.
 */
import fs from 'node:fs';
import { close } from '../../sys/descriptors.ts';
import { must } from '../../sys/errors.ts';
import { kernel } from '../../sys/kernel.ts';
import { withCString } from '../../sys/memory.ts';
import type { Mapping } from '../../sys/procfs.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { mapFilesPath, mayUseMapFiles } from './mapping_source.ts';

const segmentName = /^\/SYSV[0-9a-f]{8} \(deleted\)$/;
const segmentMark = 'SYSV';
const MFD_CLOEXEC = 1;

let device: string | undefined;

/** The device of memory that no path opens, as in /proc/PID/maps. */
function memoryDevice(): string {
  if (device !== undefined) return device;
  const memory = must(
    withCString('mosix-device', (name) => kernel.call(nr.memfd_create, name, MFD_CLOEXEC)),
    'memfd_create',
  );
  const { dev } = fs.fstatSync(memory);
  close(memory);
  const two = (number: number): string => number.toString(16).padStart(2, '0');
  return (device = `${two(dev >> 8)}:${two(dev & 0xff)}`); // small: it is one of the first that are mounted
}

/** Whether it is an attachment of System V shared memory; not one of huge pages, which are on another device. */
export function isSegment({ device: on, name }: Mapping): boolean {
  return segmentName.test(name) && on === memoryDevice();
}

/** Whether there is a file behind it. The first segment has inode 0. */
export function hasFile(mapping: Mapping): boolean {
  return mapping.inode !== 0 || isSegment(mapping);
}

/** @param pid the process that maps it, or a living thread of it. @throws when it maps a segment no more */
export function fileKey(mapping: Mapping, pid: number): string {
  const key = `${mapping.device} ${mapping.inode}`;
  if (!isSegment(mapping)) return key;
  // Without root it cannot be asked, and the process stays home.
  const made = mayUseMapFiles() ? fs.statSync(mapFilesPath(pid, mapping), { bigint: true }).birthtimeNs : 0n;
  return `${key} ${segmentMark} ${made}`;
}

export function isSegmentKey(key: string): boolean {
  return key.includes(segmentMark);
}

/** Matches the text of /proc/PID/maps if one of the files may be among them: of segments only the id is there. */
export function linesOf(keys: readonly string[]): RegExp {
  if (keys.length === 0) return /(?!)/; // an empty choice would match everything
  const lines = keys.map((key) => {
    const [on, inode, segment] = key.split(' ');
    const name = ' +/SYSV[0-9a-f]{8} \\(deleted\\)$';
    if (segment !== undefined) return `${on} ${inode}${name}`;
    return on === memoryDevice() ? `${on} ${inode}(?!${name})(?: |$)` : `${on} ${inode}(?: |$)`;
  });
  return new RegExp(` (?:${lines.join('|')})`, 'm');
}
