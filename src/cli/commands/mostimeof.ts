/** The command line of mostimeof; what it does is in src/cli/mostimeof.ts. */
import { describeCommand } from '../../lib/command.ts';

export const mostimeof = describeCommand({
  name: 'mostimeof',
  verb: 'timeof',
  summary: 'say how much CPU time processes have used, wherever that was',
  usage: ['[--json] PID…'],
  about: [
    'Says how much CPU time processes of this node have used so far, at home and on other nodes. What ps and time show ' +
      'is the part at home.',
  ],
  options: { json: { text: 'one JSON object for each process: {pid, homeMs, awayMs, totalMs}' } },
  operands: [{ name: 'PID', kind: 'pid', many: true }],
  examples: [['mostimeof 4711 4712', 'a line for each']],
  exits: [
    ['0', 'done'],
    ['1', 'no such process'],
    ['2', 'bad usage'],
    ['69', 'no daemon'],
    ['77', 'not your process'],
  ],
  seeAlso: ['mosps', 'mosrun'],
});
