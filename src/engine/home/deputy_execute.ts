/**
 * execve(2) at home: the deputy gets the strings, and what the new program inherits: actions, and at last the mask.
 * See docs/internals/families.md.
 */
import { poke } from '../../sys/remote_memory.ts';
import { nr } from '../../sys/x64/numbers.ts';
import type { Execution } from '../image/execution.ts';
import { recorderAction } from './recorder.ts';
import type { InjectedCall, Injection, Stub } from '../task/stub.ts';

export interface PreparedExecution {
  number: number;
  args: bigint[];
  /** Memory with the strings. */
  address: number;
  length: number;
}

const execveat = 322;
/** Their actions are the body's at any time (special_calls.ts). */
const mirrored: ReadonlySet<number> = new Set([17, 21, 22]);
/** Nothing can be set for the first two; the third is ours as long as the stub is there. */
const untouched: ReadonlySet<number> = new Set([9, 19, 5]);

/** Everything but the mask. After a failure all of it may stay as it is, but the memory. */
export function prepareExecution(
  stub: Stub,
  session: Injection,
  { execution, strings, starts }: { execution: Execution; strings: Buffer; starts: readonly number[] },
): PreparedExecution {
  const pointers = Buffer.alloc((starts.length + 1) * 8);
  const length = strings.length + 8 + pointers.length;
  const [address] = session.must('make room for arguments', [[nr.mmap, 0, length, 3, 0x4022, -1, 0]]);
  const table = address + ((strings.length + 7) & ~7);
  let at = 0;
  const list = (from: number, to: number): bigint => {
    const start = BigInt(table + at);
    for (const offset of starts.slice(from, to)) at = pointers.writeBigUInt64LE(BigInt(address + offset), at);
    at += 8; // a null pointer
    return start;
  };
  const argv = list(1, 1 + execution.arguments);
  const envp = list(1 + execution.arguments, starts.length);
  poke(stub.view, address, strings);
  poke(stub.view, table, pointers);
  session.run(actionCalls(stub, execution));
  const { directory } = execution;
  return directory === undefined
    ? { number: nr.execve, args: [BigInt(address), argv, envp], address, length }
    : {
        number: execveat,
        args: [BigInt(directory), BigInt(address), argv, envp, BigInt(execution.flags)],
        address,
        length,
      };
}

/** Ignored signals are inherited, all others become default ones. */
function actionCalls(stub: Stub, execution: Execution): InjectedCall[] {
  const ignored = BigInt(`0x${execution.ignored}`);
  const caught = BigInt(`0x${execution.caught}`);
  const calls: InjectedCall[] = [];
  for (let signal = 1; signal <= 64; signal++) {
    if (untouched.has(signal) || mirrored.has(signal)) continue;
    const bit = 1n << BigInt(signal - 1);
    const plain = (caught & bit) !== 0n ? undefined : (ignored & bit) === 0n ? 0n : 1n;
    stub.writeAction(32 * signal, recorderAction(stub, plain, 0n));
    calls.push([nr.rt_sigaction, signal, stub.scratchAddress(32 * signal), 0, 8]);
  }
  return calls;
}
