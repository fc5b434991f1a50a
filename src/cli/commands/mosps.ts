/** The command line of mosps; what it does is in src/cli/mosps.ts. */
import { describeCommand } from '../../lib/command.ts';

export const mosps = describeCommand({
  name: 'mosps',
  verb: 'ps',
  summary: 'show programs that moved or may move, and the nodes',
  usage: [
    '[--all|--mine] [--local|--guests] [-J NAME] [--json]',
    '--nodes [--json]',
    '--calls PID [--json]',
    '--why PID [--json]',
  ],
  about: [
    'Shows your programs that were started by mosrun or that moved: those that are away, those at home, and why the ' +
      'ones that came back did.',
  ],
  options: {
    all: { short: 'a', text: 'of all users (root sees all anyway)' },
    mine: { short: 'm', text: 'only your own, also if you are root' },
    local: { short: 'l', text: 'only those that are at home now' },
    guests: { short: 'g', text: 'the guests of other nodes that run here, instead' },
    job: { short: 'J', value: { name: 'NAME', kind: 'job' }, text: 'only jobs of this name (mosrun -J)' },
    nodes: { text: 'the nodes: load, speed, memory and guests of each, or why it cannot be reached' },
    calls: {
      value: { name: 'PID', kind: 'pid' },
      text: 'how often PID asked its home for what, and why it came home',
    },
    why: {
      value: { name: 'PID', kind: 'pid' },
      text: 'why PID is where it is: what was decided about it, with the figures, and what it gained',
    },
    json: { text: 'one JSON object: {node, away, home, returned, guests, nodes}, or what the other options show' },
  },
  operands: [],
  sections: [
    {
      title: 'Columns',
      body: [
        ['WHERE, HOME', 'the nodes on which it runs and to which it belongs'],
        ['JOB', 'the name given to mosrun -J'],
        ['THR, MEM, CPU', 'threads; memory where it runs; CPU time wherever it ran'],
        ['MOVES', 'how often it has moved'],
        ['CALLS/S', 'system calls that its home makes for it in a second'],
        ['STATE', 'home, leaving, away, moving (from node to node), returning, stopped or guest'],
        'A narrow terminal shows the most important ones.',
      ],
    },
  ],
  examples: [
    ['mosps', 'your programs'],
    ['mosps --nodes', 'the nodes'],
    ['mosps -J night', 'one job'],
    ['mosps --why 4711', 'why it moved, or does not'],
    ['mosps --json | jq .away', 'for scripts'],
  ],
  exits: [
    ['0', 'done'],
    ['1', 'failed'],
    ['2', 'bad usage'],
    ['69', 'no daemon'],
    ['77', 'not your process (--calls)'],
  ],
  seeAlso: ['mosmon', 'mosrun', 'mosmigrate'],
});
