/** The command line of mosmon; what it does is in src/cli/mosmon.ts and src/mon. */
import { describeCommand } from '../../lib/command.ts';
import { KEY_HELP } from '../../mon/help.ts';

export const mosmon = describeCommand({
  name: 'mosmon',
  verb: 'mon',
  summary: 'watch the nodes and programs of the cluster on a terminal',
  usage: ['', '{--once|--json}'],
  about: [
    'Shows a bar for each node: its load, memory, speed, utilisation, guests, or input and output. Tab goes on to the ' +
      'nodes as a list and to the programs of this node; moves are shown as they happen. Keys are as in MOSIX’s monitor.',
    'If standard output is no terminal, the nodes are printed once, as with --once.',
  ],
  options: {
    once: { text: 'print the list of nodes and end' },
    json: { text: 'print nodes, programs and totals as one JSON object and end' },
  },
  operands: [],
  sections: [{ title: 'Keys', body: KEY_HELP }],
  examples: [
    ['mosmon', 'the cluster at a glance'],
    ['mosmon --once', 'for a log'],
  ],
  exits: [
    ['0', 'done'],
    ['2', 'bad usage'],
    ['69', 'no daemon'],
  ],
  seeAlso: ['mosps', 'mosix status'],
});

/** As others call such a program. bin/launch.sh knows it, too. */
export const top = { ...mosmon, name: 'mosix top', verb: 'top', sameAs: 'mosmon', summary: 'the same as mosmon' };
