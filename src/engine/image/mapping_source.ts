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
function mapFilesPath(pid: number, { start, end }: Mapping): string {
  return `/proc/${pid}/map_files/${start.toString(16)}-${end.toString(16)}`;
}

let allowed: boolean | undefined;

/** Whether this process may follow the kernel's own links to mapped files. */
function mayUseMapFiles(): boolean {
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

/**
 * @param pid the process that maps it, or a living thread of it
 * @throws StaysHome when only root could open it
 */
export function pathOfMapped(pid: number, mapping: Mapping): string {
  if (mayUseMapFiles()) return mapFilesPath(pid, mapping);
  const name = Buffer.from(mapping.name.replaceAll('\\012', '\n'), 'latin1').toString();
  const path = [`/proc/${pid}/root${name}`, ...descriptorsOf(pid, name)].find((candidate) =>
    leadsTo(candidate, mapping),
  );
  if (path === undefined) throw new StaysHome(pid, `it maps ${name}, which only root can open again`);
  return path;
}

/** Descriptors of a process for a file of this name: they open it though it is deleted or has no name in the file system. */
function descriptorsOf(pid: number, name: string): string[] {
  return [...descriptorTargets(pid)].flatMap(([fd, target]) => (target === name ? [`/proc/${pid}/fd/${fd}`] : []));
}

/**
 * Whether a path opens the file of a mapping. stat(2) would not tell: some file systems (overlay, btrfs) report another
 * device there than in /proc/PID/maps. So we map it ourselves and compare the same thing.
 */
function leadsTo(path: string, { device, inode }: Mapping): boolean {
  let fd: number;
  try {
    if (!fs.statSync(path).isFile()) return false;
    fd = openPath(path, O_RDONLY);
  } catch {
    return false;
  }
  const at = kernel.call(nr.mmap, 0, pageSize, PROT_NONE, MAP_PRIVATE, fd, 0);
  close(fd);
  if (at < 0) return false;
  const own = mappings(process.pid).find(({ start }) => start === at);
  kernel.call(nr.munmap, at, pageSize);
  return own?.device === device && own.inode === inode;
}
