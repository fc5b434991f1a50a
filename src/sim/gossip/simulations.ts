/** The scenarios of gossip as commands: `npm run sim -- plain` and so on; figures, then what did not hold. */
import type { Simulation } from '../simulation.ts';
import type { Scenario } from './scenario.ts';
import { gossipScenarios } from './scenarios.ts';

export const gossipSimulations: Readonly<Record<string, Simulation>> = Object.fromEntries(
  Object.entries(gossipScenarios).map(([name, scenario]) => [name, asSimulation(name, scenario)]),
);

function asSimulation(name: string, scenario: Scenario): Simulation {
  return ({ nodes = scenario.nodes, seed, seconds = scenario.seconds, window = 0, json, progress, print }) => {
    const { figures, broken } = scenario.run({
      nodes,
      seed,
      seconds,
      window,
      progress: (sofar) => {
        if (progress === true) print(JSON.stringify(sofar));
      },
    });
    if (json) print(JSON.stringify({ scenario: name, nodes, seed, figures, broken }));
    else {
      print(`${name}: ${scenario.about}; ${nodes} nodes, seed ${seed}`);
      for (const [key, value] of Object.entries(figures)) print(`  ${key.padEnd(20)}${value}`);
      for (const each of broken) print(`  BROKEN: ${each}`);
    }
    return broken.length === 0;
  };
}
