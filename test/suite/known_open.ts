/**
 * What is known not to hold yet, by name, with the reason. A plain run of a suite runs these cases and fails; `--gate`,
 * for CI, names them as skipped, so that CI says when something *else* breaks.
 */
import type { Mode } from './case.ts';

interface OpenCase {
  suite: string;
  name: string;
  modes: readonly Mode[];
  reason: string;
}

const open: readonly OpenCase[] = [
  {
    suite: 'programs',
    name: 'many-mappings',
    modes: ['chaos'],
    reason:
      'after a program of tens of thousands of mappings has moved often the engines keep up to 600 MB, and others wait long',
  },
  {
    suite: 'workloads',
    name: 'py-mp',
    modes: ['chaos'],
    reason:
      'too little of its time was away as long as a set moved by way of home; it held twice since, and is to be repeated',
  },
];

/** Why a case is known to be open in a mode; undefined when it must pass. */
export function openReason(suite: string, name: string, mode: Mode): string | undefined {
  return open.find((one) => one.suite === suite && one.name === name && one.modes.includes(mode))?.reason;
}
