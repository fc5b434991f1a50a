/**
 * What a body uses on its hosting node: memory, CPU time and its home's calls, for `mosps` and `mostimeof`. Home asks when somebody looks;
 * unasked the hosting node tells it when the body begins, so that home knows that it runs, and before it ends.
 */
import { frameType } from '../../wire/frames.ts';
import type { BodyUse } from '../image/body_figures.ts';
import type { CallStatistics } from '../image/call_statistics.ts';
import { cpuTimeOfProcess } from '../image/capture.ts';
import type { CpuBase } from '../image/image.ts';
import type { GuestLink } from '../link/link.ts';
import { memoryOf } from '../task/memory_use.ts';

interface User {
  readonly hostPid: number;
  readonly cpuBase: CpuBase;
  readonly calls: CallStatistics;
}

export function useOf({ hostPid, cpuBase, calls }: User): BodyUse {
  const cpuTime = cpuBase.all + cpuTimeOfProcess(hostPid);
  return { memoryBytes: memoryOf(hostPid), cpuTime, calls: calls.entries() };
}

/** The hosting node's side. */
export function tellUse(link: GuestLink, body: User): void {
  link.sendJson(frameType.use, useOf(body));
}
