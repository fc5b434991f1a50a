/** The command line of mosmigrate; what it does is in src/cli/mosmigrate.ts. */
import { describeCommand } from '../../lib/command.ts';

export const mosmigrate = describeCommand({
  name: 'mosmigrate',
  verb: 'migrate',
  summary: 'move a running process to another node or back home',
  usage: ['[options] PID {NODE|home}', '[options] PID --release', '[--json] -J NAME {NODE|home}'],
  about: [
    'Moves the process PID of this node, with all its threads, to NODE or back home, and says how long it stood still. ' +
      'The process need not have been started by mosrun. It must be yours, unless you are root.',
    'With -J, all processes of your jobs of that name move (mosrun -J), and so does what they start from then on.',
    'What moves and what stays is shown by mosps; the nodes by mosps --nodes.',
  ],
  options: {
    job: { short: 'J', value: { name: 'NAME', kind: 'job' }, text: 'all processes of the jobs of that name' },
    release: { text: 'give the memory that its stay-behind half holds back to this node; with NODE, after the move' },
    'no-wait': { text: 'return at once; see mosps for what became of it' },
    json: { text: 'the result as one JSON object' },
  },
  operands: [
    { name: 'PID', kind: 'pid' },
    { name: 'NODE', kind: 'place' },
  ],
  examples: [
    ['mosmigrate 4711 n2', 'to node n2'],
    ['mosmigrate 4711 home', 'and back'],
    ['mosmigrate -J night home', 'a whole job comes home, and stays'],
  ],
  exits: [
    ['0', 'moved'],
    ['1', 'not moved (the reason is said; the process goes on where it was)'],
    ['2', 'bad usage or unknown node'],
    ['69', 'no daemon, or the node cannot be reached'],
    ['77', 'not your process'],
  ],
  seeAlso: ['mosmon', 'mosrun', 'mosps'],
});
