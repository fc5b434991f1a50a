/** The command line of mosrun; what it does is in src/cli/mosrun.ts. */
import { describeCommand } from '../../lib/command.ts';

export const mosrun = describeCommand({
  name: 'mosrun',
  verb: 'run',
  summary: 'run a program as a job that may move to other nodes',
  usage: ['[options] PROGRAM [ARGUMENT…]'],
  about: [
    'Runs PROGRAM as a job that may move to other nodes while it runs. This node is its home: its files, its terminal ' +
      'and its parent stay here, and so does everything that it sees of the machine.',
    'The job is PROGRAM with all processes that it starts, and theirs. Within a job, mosrun does what the job was told ' +
      'where it is not told otherwise. The options end at PROGRAM.',
  ],
  options: {
    on: { short: 'r', value: { name: 'NODE', kind: 'node' }, text: 'run on NODE; see mosps --nodes' },
    best: { short: 'b', text: 'begin on the node that is best now' },
    among: {
      short: 'j',
      value: { name: 'NODE,…', kind: 'text' },
      text: 'begin on one of these nodes, drawn by chance',
    },
    nodes: { value: { name: 'NODE,…', kind: 'text' }, text: 'move by itself only to these nodes, and home' },
    'not-nodes': { value: { name: 'NODE,…', kind: 'text' }, text: 'do not move by itself to these nodes' },
    memory: { short: 'm', value: { name: 'MB', kind: 'number' }, text: 'only to nodes with so much free memory' },
    'ignore-io': { short: 'c', text: 'its input and output do not count when a node is chosen' },
    'count-io': { short: 'n', text: 'they do (default)' },
    home: { short: 'h', text: 'run here (it can still be moved by mosmigrate)' },
    stay: { short: 'L', text: 'no automatic migration; mosmigrate still moves it' },
    roam: { short: 'l', text: 'automatic migration is allowed (default)' },
    job: {
      short: 'J',
      value: { name: 'NAME', kind: 'job' },
      text: 'name of the job, for mosmigrate -J, moskillall -J and mosps -J',
    },
    time: { text: 'say in the end how much CPU time it used, and where' },
    force: { short: 'F', text: 'run here if the node, or mosd, cannot be reached' },
  },
  operands: [{ name: 'PROGRAM', kind: 'program', many: true }],
  stopAtOperand: true,
  examples: [
    ['mosrun gzip -9 big.tar', 'starts here, as a program that may move'],
    ['mosrun -r n2 ./simulate', 'goes to n2 right away'],
    ['mosrun -J night -r n2 make -j4', 'make and all that it starts, and what these start'],
    ['mosrun -b -m 500 ./simulate', 'begins where it is best, among those with 500 MB free'],
    ['mosrun --time sort big', 'says where the CPU time was used'],
  ],
  exits: [
    ['the program’s', 'if it ran'],
    ['127, 126', 'it was not found; it cannot be run'],
    ['69', 'no daemon, or the node cannot be reached'],
    ['2', 'bad usage'],
  ],
  seeAlso: ['mosbestnode', 'mosnative', 'mosmigrate', 'moskillall', 'mostimeof', 'mosps'],
});
