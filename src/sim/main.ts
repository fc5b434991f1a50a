/**
 * npm run sim -- SCENARIO [--nodes N] [--seed S] [--seeds N] [--seconds T] [--window W] [--json] [--progress]
 *
 * Runs the production policies (src/gossip, src/load, src/balance) over simulated time and machines. Exits 0 if all checks
 * hold, 1 if not, 2 for bad usage.
 */
import { parseArgs } from 'node:util';
import { gossipSimulations } from './gossip/simulations.ts';
import { makespan } from './makespan/table.ts';
import type { SimulationOptions, Simulation } from './simulation.ts';

const SIMULATIONS: Readonly<Record<string, Simulation>> = { makespan, ...gossipSimulations };

function readOptions(argv: readonly string[]): { name: string; options: SimulationOptions } {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      nodes: { type: 'string' },
      seed: { type: 'string', default: '1' },
      seeds: { type: 'string' },
      seconds: { type: 'string' },
      window: { type: 'string' },
      progress: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const [name] = positionals;
  if (positionals.length !== 1 || !Object.hasOwn(SIMULATIONS, name))
    throw new TypeError(`name one simulation: ${Object.keys(SIMULATIONS).join(', ')}`);
  const count = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text));
  return {
    name,
    options: {
      nodes: count(values.nodes),
      seed: Number(values.seed),
      seeds: count(values.seeds),
      seconds: count(values.seconds),
      window: count(values.window),
      json: values.json,
      progress: values.progress,
      print: (line) => console.log(line),
    },
  };
}

try {
  const { name, options } = readOptions(process.argv.slice(2));
  process.exitCode = SIMULATIONS[name](options) ? 0 : 1;
} catch (error) {
  console.error(error instanceof TypeError ? error.message : error);
  process.exitCode = error instanceof TypeError ? 2 : 1;
}
