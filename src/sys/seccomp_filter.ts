/**
 * The seccomp filter of a body, generated from the table: what is local runs, everything else is a notification to the
 * engine. It never kills: a call in a foreign convention (int 0x80, x32) is a notification too.
 *
 * Calls that are always local are decided from the number alone, before anything else is looked at. The kernel notices
 * that at installation (seccomp_cache_prepare, Linux 5.11) and afterwards lets them pass without running the filter.
 *
 * A hostile body can jump into the engine's stub. What it can do there is the list in stub_calls.ts and no more: all
 * other calls are notifications from there, too. Behind that stand the body's namespaces.
 */

import { assembleBpf, type Instruction, type Label } from './seccomp_bpf.ts';
import { auditArchitecture, type Architecture } from './syscall_numbers.ts';
import { stubCalls } from './stub_calls.ts';
import { descriptionsOf, numberOf, type LocalTest, type SyscallDescription } from './syscalls.ts';

export interface BodyFilterOptions {
  /** Address of the stub's code, whose calls pass if they are among `stubCalls`: instruction pointers in [stubBase, stubBase + stubLength). */
  readonly stubBase: number;
  /** Bytes of it; it must not cross a multiple of 4 GB. The kernel reports the address after the system-call instruction. */
  readonly stubLength: number;
  readonly arch: Architecture;
  /** Signals are kept at home: what has to do with waiting signals is not local. */
  readonly heldSignals?: boolean;
}

/** SECCOMP_RET_ALLOW and SECCOMP_RET_USER_NOTIF of linux/seccomp.h. */
export const filterAction = { allow: 0x7fff0000, notify: 0x7fc00000 } as const;

/** Offsets in `struct seccomp_data`. */
const data = {
  nr: 0,
  arch: 4,
  pointerLow: 8,
  pointerHigh: 12,
  argumentLow: (index: number) => 16 + 8 * index,
  argumentHigh: (index: number) => 20 + 8 * index,
} as const;

/** The program as an array of `struct sock_filter`. */
export function bodyFilter(options: BodyFilterOptions): Uint8Array {
  return assembleBpf(filterProgram(options, trapped(descriptionsOf(options.arch), options.heldSignals === true)));
}

function trapped(table: readonly SyscallDescription[], held: boolean): readonly SyscallDescription[] {
  return table.map((call) => (held && call.heldSignals ? { ...call, class: 'special', localWhen: undefined } : call));
}

/** The same before assembly, for any table. */
export function filterProgram(
  options: BodyFilterOptions,
  table: readonly SyscallDescription[],
): readonly Instruction[] {
  const tested = table.filter((call) => call.localWhen !== undefined && call.class !== 'local');
  return [
    { op: 'load', offset: data.arch },
    { op: 'branch', test: 'equal', value: auditArchitecture[options.arch], no: 'notify' },
    { op: 'load', offset: data.nr },
    ...search(ranges(table)),
    ...tested.flatMap((call) => argumentTest(call, call.localWhen as LocalTest)),
    ...stubTest(options),
    { op: 'label', name: 'allow' },
    { op: 'return', value: filterAction.allow },
    { op: 'label', name: 'notify' },
    { op: 'return', value: filterAction.notify },
  ];
}

/** Calls from `from` on, up to the next range, go to `to`. */
interface Range {
  readonly from: number;
  readonly to: Label;
}

/** All numbers from 0 to 2^32 - 1 as ascending ranges of one target each; unknown ones are trapped. */
function ranges(table: readonly SyscallDescription[]): readonly Range[] {
  const found: Range[] = [{ from: 0, to: 'stub' }];
  const put = (range: Range): void => {
    if (found.at(-1)?.from === range.from) found.pop();
    if (found.at(-1)?.to !== range.to) found.push(range);
  };
  for (const call of [...table].sort((a, b) => a.nr - b.nr)) {
    put({ from: call.nr, to: target(call) });
    put({ from: call.nr + 1, to: 'stub' });
  }
  return found;
}

function target(call: SyscallDescription): Label {
  if (call.class === 'local') return 'allow';
  return call.localWhen === undefined ? 'stub' : call.name;
}

/** A balanced tree of comparisons with the loaded number; every path ends in a jump to its range's target. */
function search(list: readonly Range[]): readonly Instruction[] {
  if (list.length === 1) return [{ op: 'jump', to: list[0].to }];
  const middle = list.length >> 1;
  const value = list[middle].from;
  if (list.length === 2) return [{ op: 'branch', test: 'greaterOrEqual', value, yes: list[1].to, no: list[0].to }];
  const upper = `from ${value}`;
  return [
    { op: 'branch', test: 'greaterOrEqual', value, yes: upper },
    ...search(list.slice(0, middle)),
    { op: 'label', name: upper },
    ...search(list.slice(middle)),
  ];
}

function argumentTest(call: SyscallDescription, test: LocalTest): readonly Instruction[] {
  const low: Instruction = { op: 'load', offset: data.argumentLow(test.argument) };
  const start: Instruction = { op: 'label', name: call.name };
  if ('anyOf' in test) {
    const branches = test.anyOf.map((value): Instruction => ({ op: 'branch', test: 'equal', value, yes: 'allow' }));
    return [start, low, ...branches, { op: 'jump', to: 'stub' }];
  }
  return [
    start,
    { op: 'load', offset: data.argumentHigh(test.argument) },
    { op: 'branch', test: 'equal', value: 0, no: 'stub' },
    low,
    { op: 'and', value: (test.set | test.clear) >>> 0 },
    { op: 'branch', test: 'equal', value: test.set, yes: 'allow' },
    { op: 'jump', to: 'stub' },
  ];
}

function stubTest({ stubBase, stubLength, arch }: BodyFilterOptions): readonly Instruction[] {
  const high = Math.floor(stubBase / 2 ** 32);
  const last = stubBase + stubLength - 1;
  if (stubLength < 1 || Math.floor(last / 2 ** 32) !== high) {
    throw new RangeError(`Cannot build a filter: the stub at 0x${stubBase.toString(16)} crosses 4 GB`);
  }
  return [
    { op: 'label', name: 'stub' },
    { op: 'load', offset: data.pointerHigh },
    { op: 'branch', test: 'equal', value: high, no: 'notify' },
    { op: 'load', offset: data.pointerLow },
    { op: 'branch', test: 'greaterOrEqual', value: stubBase % 2 ** 32, no: 'notify' },
    { op: 'branch', test: 'greater', value: last % 2 ** 32, yes: 'notify' },
    { op: 'load', offset: data.nr },
    ...stubCalls.map((name): Instruction => ({
      op: 'branch',
      test: 'equal',
      value: numberOf(name, arch),
      yes: 'allow',
    })),
    { op: 'jump', to: 'notify' },
  ];
}
