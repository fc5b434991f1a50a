/**
 * A path that opens the file behind a mapping. The kernel has one that always works, for those who may use it; without
 * root the file is looked for where its name or a descriptor of the process says, and must be the same file.
 */
import fs from 'node:fs';
import { close, openPath } from '../../sys/descriptors.ts';
import { kernel } from '../../sys/kernel.ts';
import { MAP_PRIVATE } from '../../sys/memory.ts';
import { pageSize } from '../../sys/pagemap.ts';
import { descriptorTargets, mappings, type Mapping } from '../../sys/procfs.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { StaysHome } from './stays_home.ts';

const O_RDONLY = 0;
const PROT_NONE = 0;

/** proc(5), map_files: also of a deleted file, but only with CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE (fs/proc/base.c). */
export function mapFilesPath(pid: number, { start, end }: Mapping): string {
  return `/proc/${pid}/map_files/${start.toString(16)}-${end.toString(16)}`;
}

/** Of memory without a name: descriptors that the engine has of it, by device and inode, the newest last. */
const held = new Map<string, number[]>();

/** From now on the memory is opened by this descriptor; until `letGoOfMemory`, which comes before it is closed. */
export function holdMemory(mapping: Pick<Mapping, 'device' | 'inode'>, descriptor: number): void {
  const key = `${mapping.device} ${mapping.inode}`;
  held.set(key, [...(held.get(key) ?? []), descriptor]);
}

export function letGoOfMemory(descriptor: number): void {
  for (const [key, all] of held) {
    const left = all.filter((one) => one !== descriptor);
    if (left.length > 0) held.set(key, left);
    else held.delete(key);
  }
}

let allowed: boolean | undefined;

/** Whether this process may follow the kernel's own links to mapped files. */
export function mayUseMapFiles(): boolean {
  if (allowed !== undefined) return allowed;
  const [any] = fs.readdirSync('/proc/self/map_files');
  try {
    fs.statSync(`/proc/self/map_files/${any}`);
    allowed = true;
  } catch (error) {
    allowed = !(error instanceof Error && 'code' in error && error.code === 'EPERM');
  }
  return allowed;
}

/** @throws StaysHome when only root could open it */
export function pathOfMapped(pid: number, mapping: Mapping): string {
  const path = pathIfAny(pid, mapping);
  if (path === undefined) throw new StaysHome(pid, `it maps ${mapping.name}, which only root can open again`);
  return path;
}

/**
 * @param pid the process that maps it, or a living thread of it
 * @returns undefined when only root could open it
 */
export function pathIfAny(pid: number, mapping: Mapping): string | undefined {
  if (mayUseMapFiles()) return mapFilesPath(pid, mapping);
  const descriptor = held.get(`${mapping.device} ${mapping.inode}`)?.at(-1);
  if (descriptor !== undefined) return `/proc/self/fd/${descriptor}`;
  const name = Buffer.from(mapping.name.replaceAll('\\012', '\n'), 'latin1').toString();
  return [`/proc/${pid}/root${name}`, ...descriptorsOf(pid, name)].find((path) => leadsTo(path, mapping));
}

/** Descriptors of a process for a file of this name: they open it though it is deleted or has no name in the file system. */
function descriptorsOf(pid: number, name: string): string[] {
  return [...descriptorTargets(pid)].flatMap(([fd, target]) => (target === name ? [`/proc/${pid}/fd/${fd}`] : []));
}

/** What stat(2) says of files whose device and inode in /proc/PID/maps are known. */
const statIdentities = new Map<string, string>();
const remembered = 10_000;

/**
 * Whether a path opens the file of a mapping. stat(2) alone would not tell: some file systems (overlay, btrfs) report
 * another device there than in /proc/PID/maps. So we map it once ourselves and compare the same thing.
 */
function leadsTo(path: string, { device, inode }: Mapping): boolean {
  const key = `${device} ${inode}`;
  try {
    const stat = fs.statSync(path, { bigint: true });
    if (!stat.isFile()) return false;
    const identity = `${stat.dev} ${stat.ino}`;
    const known = statIdentities.get(key);
    if (known !== undefined) return known === identity;
    if (keyWhenMapped(path) !== key) return false;
    if (statIdentities.size === remembered) statIdentities.clear();
    statIdentities.set(key, identity);
    return true;
  } catch {
    return false; // it is not there, or not ours to open
  }
}

function keyWhenMapped(path: string): string | undefined {
  const fd = openPath(path, O_RDONLY);
  const at = kernel.call(nr.mmap, 0, pageSize, PROT_NONE, MAP_PRIVATE, fd, 0);
  close(fd);
  if (at < 0) return undefined;
  const own = mappings(process.pid).find(({ start }) => start === at);
  kernel.call(nr.munmap, at, pageSize);
  return own && `${own.device} ${own.inode}`;
}
