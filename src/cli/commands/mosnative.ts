/** The command line of mosnative; what it does is in src/cli/mosnative.ts. */
import { describeCommand } from '../../lib/command.ts';

export const mosnative = describeCommand({
  name: 'mosnative',
  verb: 'native',
  summary: 'run a program of a job as an ordinary program of this node',
  usage: ['PROGRAM [ARGUMENT…]'],
  about: [
    'Within a job, runs PROGRAM and all that it starts outside of it: at home, never moved, not touched by commands on the ' +
      'job. For what is of no use elsewhere, such as a program that talks to a device. Outside of a job, and where mosd ' +
      'does not run, PROGRAM is run as it is.',
    'The options end at PROGRAM. A mosrun within begins a new job.',
  ],
  options: {},
  operands: [{ name: 'PROGRAM', kind: 'program', many: true }],
  stopAtOperand: true,
  examples: [['mosnative aplay alarm.wav', 'in a script that runs as a job']],
  exits: [
    ['the program’s', 'if it ran'],
    ['127, 126', 'it was not found; it cannot be run'],
    ['2', 'bad usage'],
  ],
  seeAlso: ['mosrun'],
});
