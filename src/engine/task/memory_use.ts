/** Memory of a process of this node. */
import { livingThread, status } from '../../sys/procfs.ts';

/** Resident bytes; 0 if there is no such process. */
export function memoryOf(pid: number): number {
  try {
    return (
      Number(
        status(livingThread(pid) ?? pid)
          .get('VmRSS')
          ?.split(' ')[0] ?? 0,
      ) * 1024
    );
  } catch {
    return 0;
  }
}
