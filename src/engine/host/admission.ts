/** What a process and its home must have in common with this node, looked at before anything is made for it. */
import { cpuFeatures } from '../../sys/x64/cpu_features.ts';
import { protocolVersion } from '../../wire/frames.ts';
import { vdsoOf } from '../image/capture.ts';
import type { Preparation } from '../image/image.ts';

/**
 * Of its first message; later ones only announce files.
 * @param closed Why this node takes no guests; undefined: it does.
 * @throws Error that says so, or what the two do not have in common
 */
export function admit(p: Preparation & { version: number }, closed: string | undefined): void {
  if (closed !== undefined) throw new Error(`Cannot host process ${p.pid}: ${closed}`);
  if (p.version !== protocolVersion)
    throw new Error(`Cannot host process ${p.pid}: it speaks version ${p.version}, this node ${protocolVersion}`);
  const lacking = p.cpuFeatures.filter((feature) => !cpuFeatures().includes(feature));
  if (lacking.length)
    throw new Error(`Cannot host process ${p.pid}: this node's CPU lacks what its home's has (${lacking.join(', ')})`);
}

/** Programs run a piece of their kernel, which is moved as a whole. @param pid of the blank body @throws Error */
export function assertSameVdso({ pid: program, vdso }: Preparation, pid: number): void {
  if (vdsoOf(pid).digest !== vdso.digest)
    throw new Error(`Cannot host process ${program}: this node's kernel has another vDSO than its home's`);
}
