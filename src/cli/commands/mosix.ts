/** The command line of mosix; what it does is in src/cli/mosix.ts. Its verbs are in table.ts. */
import { describeCommand } from '../../lib/command.ts';

export const mosix = describeCommand({
  name: 'mosix',
  summary: 'everything that MOSIX does, as one command',
  usage: ['VERB [options]'],
  about: [
    'Does what VERB says. The verbs of which each is a command of its own, too, do the same: mosix ps is mosps. Each ' +
      'has --help.',
  ],
  options: {},
  operands: [{ name: 'VERB', kind: 'word', many: true }],
  stopAtOperand: true,
  examples: [
    ['mosix up', 'start this node'],
    ['mosix ps --help', 'about one verb'],
  ],
  exits: [
    ['0', 'done'],
    ['1', 'failed'],
    ['2', 'bad usage'],
    ['69', 'no daemon, or the node cannot be reached'],
    ['77', 'not permitted'],
  ],
});
