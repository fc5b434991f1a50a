/**
 * npm run bench -- [freeze] [forward] [slowdown] [start] [guests] [--json]
 *
 * Measures on test-bed hosts what migration costs, each figure beside a plain counterpart of the same run. Reports,
 * judges nothing. Exits 1 if something could not be measured, 2 for bad usage, 77 when this machine lacks what it needs.
 */
import { parseArgs } from 'node:util';
import { Bed } from '../bed/bed.ts';
import { installPackages } from '../suite/packages.ts';
import { measureForward } from './forward.ts';
import { measureFreeze } from './freeze.ts';
import { measureGuests } from './guests.ts';
import { printResult, type Result } from './result.ts';
import { measureSlowdown } from './slowdown.ts';
import { measureStart } from './start.ts';

const benches: Readonly<Record<string, () => AsyncGenerator<Result>>> = {
  freeze: measureFreeze,
  forward: measureForward,
  slowdown: measureSlowdown,
  start: measureStart,
  guests: measureGuests,
};

class UsageError extends Error {}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false } },
  });
  const unknown = positionals.find((name) => benches[name] === undefined);
  if (unknown !== undefined)
    throw new UsageError(`no benchmark ${unknown}; there are ${Object.keys(benches).join(', ')}`);
  const probe = await Bed.probe();
  const missing = probe.ok ? installPackages(['gcc', 'libc6-dev']) : probe.missing;
  if (missing.length > 0) {
    process.stderr.write(`Cannot measure here: missing ${missing.join(', ')}.\n${probe.ok ? '' : `${probe.help}\n`}`);
    return 77;
  }
  let failed = false;
  for (const name of positionals.length > 0 ? positionals : Object.keys(benches)) {
    try {
      for await (const result of benches[name]()) printResult(result, values.json);
    } catch (error) {
      failed = true;
      process.stderr.write(`${name}: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  }
  return failed ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  const usage = error instanceof UsageError || error instanceof TypeError;
  process.stderr.write(`${error instanceof Error ? (usage ? error.message : error.stack) : String(error)}\n`);
  process.exitCode = usage ? 2 : 1;
}
