/** The command line of mosbestnode; what it does is in src/cli/mosbestnode.ts. */
import { describeCommand } from '../../lib/command.ts';

export const mosbestnode = describeCommand({
  name: 'mosbestnode',
  verb: 'bestnode',
  summary: 'print the node that is best for a program now',
  usage: ['[-m MB] [-w] [--json]'],
  about: [
    'Prints the name of the node on which a program that computes would get on best now: by load, speed, CPUs and free ' +
      'memory; this node only where it is better than any other. The program counts as begun there until the node has told its next ' +
      'load, so that two who ask one after the other are not sent to the same place.',
    'mosrun -b does the same for the program that it runs.',
  ],
  options: {
    memory: { short: 'm', value: { name: 'MB', kind: 'number' }, text: 'only nodes with so much free memory' },
    wait: { short: 'w', text: 'wait until there is one' },
    json: { text: '{node}' },
  },
  operands: [],
  examples: [
    ['mosrun -r $(mosbestnode) ./simulate', 'go there'],
    ['mosbestnode -m 4000 -w', 'when and where 4 GB are free'],
  ],
  exits: [
    ['0', 'done'],
    ['1', 'no node has so much free memory'],
    ['2', 'bad usage'],
    ['69', 'no daemon'],
  ],
  seeAlso: ['mosrun', 'mosmon', 'mosps'],
});
