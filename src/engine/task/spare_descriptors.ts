/** A process may use all the descriptors that it is allowed; what the engine opens in it for a moment comes on top. */
import { SystemCallError } from '../../sys/errors.ts';
import { kernel } from '../../sys/kernel.ts';
import { arena, scratch } from '../../sys/memory.ts';
import { resourceLimits } from '../../sys/procfs.ts';
import type { StoppedTask } from '../../sys/ptrace.ts';
import { peek, poke } from '../../sys/remote_memory.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { stepCall, syscallInstruction } from './step_call.ts';

export const EMFILE = 24;
const RLIMIT_NOFILE = 7;
/** What fs.nr_open allows unless somebody has changed it: the limit counts numbers, and the program's may be high. */
const largest = 1n << 20n;
/** Beyond the red zone. */
const belowStack = 512;
const limitAt = scratch(16);

/** Does `work`; where the process has no descriptor left for it, once more with a higher limit of open files. */
export function withSpareDescriptors<T>(task: StoppedTask, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof SystemCallError) || error.errno !== EMFILE) throw error;
  }
  const [soft, hard] = resourceLimits(task.tid)[RLIMIT_NOFILE].map(BigInt);
  if (!setLimit(task, largest, largest)) setLimit(task, hard, hard);
  try {
    return work();
  } finally {
    setLimit(task, soft, hard);
  }
}

/** From outside, which may need CAP_SYS_RESOURCE, or by a call of its own. @returns whether it was allowed */
function setLimit(task: StoppedTask, soft: bigint, hard: bigint): boolean {
  arena.u64[limitAt >> 3] = soft;
  arena.u64[(limitAt >> 3) + 1] = hard;
  if (kernel.call(nr.prlimit64, task.tid, RLIMIT_NOFILE, arena.address + limitAt, 0) === 0) return true;
  const registers = task.registers();
  const at = 16 * Math.floor((registers.number('rsp') - belowStack) / 16);
  const covered = peek(task.tid, at, 16);
  poke(task.tid, at, arena.u8.slice(limitAt, limitAt + 16));
  const result = stepCall(task, syscallInstruction(task.tid), nr.prlimit64, 0, RLIMIT_NOFILE, at, 0);
  poke(task.tid, at, covered);
  task.setRegisters(registers);
  return result === 0;
}
