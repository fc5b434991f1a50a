/**
 * npm run suite -- balance [--only CASE[,CASE…]] [--share F] [--seconds N] [--json]
 *
 * What a cluster does by itself: hosts with a part F of this machine each (default a fifth), jobs started on one of them, and
 * nobody who gives a command. The machine must be otherwise idle: what the hosts do not get, they cannot share.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { burst } from './balance/burst.ts';
import { faults } from './balance/faults.ts';
import { memory } from './balance/memory.ts';
import { quotas } from './balance/quotas.ts';
import type { Verdict } from './balance/setting.ts';
import { spread } from './balance/spread.ts';
import { users } from './balance/users.ts';
import { UsageError } from './plan.ts';

interface Size {
  /** CPUs of a host. */
  readonly cpus: number;
  /** CPU-seconds of a job that ends. */
  readonly cpuSeconds: number;
}

const cases: Readonly<Record<string, (size: Size) => Promise<Verdict>>> = {
  spread: (size) => spread({ ...size, runs: 3 }),
  quotas,
  burst,
  memory,
  users,
  faults,
};

/** @returns the exit code */
export async function runBalance(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      only: { type: 'string' },
      share: { type: 'string', default: '0.2' },
      seconds: { type: 'string', default: '20' },
      json: { type: 'boolean', default: false },
    },
  });
  const names = values.only?.split(',') ?? Object.keys(cases);
  const unknown = names.find((name) => !Object.hasOwn(cases, name));
  if (unknown !== undefined) throw new UsageError(`no case ${unknown}; there are ${Object.keys(cases).join(', ')}`);
  const size = { cpus: Number(values.share) * availableParallelism(), cpuSeconds: Number(values.seconds) };
  let failed = 0;
  for (const name of names) {
    const verdict = await cases[name](size).catch((error: unknown): Verdict => ({
      ok: false,
      figures: {},
      why: String(error),
    }));
    if (!verdict.ok) failed += 1;
    console.log(values.json ? JSON.stringify({ suite: 'balance', case: name, ...verdict }) : forPeople(name, verdict));
  }
  return failed === 0 ? 0 : 1;
}

function forPeople(name: string, { ok, figures, why }: Verdict): string {
  const words = Object.entries(figures).map(([key, value]) => `${key} ${shown(value)}`);
  return `${ok ? 'ok  ' : 'FAIL'} ${name.padEnd(10)} ${words.join(', ')}${why === '' ? '' : `\n      ${why}`}`;
}

function shown(value: Verdict['figures'][string]): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(Math.round(value * 100) / 100);
  return value.map((each) => Math.round(each * 100) / 100).join(':');
}
