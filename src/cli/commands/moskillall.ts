/** The command line of moskillall; what it does is in src/cli/moskillall.ts. */
import { describeCommand } from '../../lib/command.ts';

export const moskillall = describeCommand({
  name: 'moskillall',
  verb: 'killall',
  summary: 'send a signal to all processes of jobs',
  usage: ['[-SIGNAL] [-J NAME] [--json]'],
  about: [
    'Sends SIGNAL to all processes of your jobs that were started on this node by mosrun, at home and away: of all of ' +
      'them, or of those named NAME. Processes that these start meanwhile get it, too. Root’s jobs are everybody’s.',
    '-SIGNAL is a name or number, as for kill(1): -TERM (default), -KILL, -STOP, -CONT, -9.',
  ],
  options: {
    job: { short: 'J', value: { name: 'NAME', kind: 'job' }, text: 'only jobs of this name (mosrun -J)' },
    json: { text: '{signal, jobs, processes}' },
  },
  operands: [],
  examples: [
    ['moskillall -J night', 'ends the job night'],
    ['moskillall -STOP', 'stops all your jobs'],
  ],
  exits: [
    ['0', 'done'],
    ['1', 'there is no such job, or not all could be signalled'],
    ['2', 'bad usage'],
    ['69', 'no daemon'],
  ],
  seeAlso: ['mosrun', 'mosps'],
});
