/** What `mosix` does itself: with the node as a whole. See the files mosix_*.ts beside this folder. */
import { describeCommand } from '../../lib/command.ts';

const CONFIG = {
  config: {
    value: { name: 'FILE', kind: 'file' },
    text: "the configuration; default: $MOSIX_CONFIG, else a user's own, else /etc/mosix/mosix.toml",
  },
} as const;

export const up = describeCommand({
  name: 'mosix up',
  verb: 'up',
  summary: 'start this node; a machine that is in no cluster makes one of its own first',
  usage: ['[--config FILE]'],
  about: [
    'Starts mosd and the engine of this node, unless they run, and says how the node fares. A machine that is in no ' +
      'cluster makes one of its own first, as mosix init does. Needs root.',
  ],
  options: CONFIG,
  operands: [],
  examples: [['mosix up', 'on each machine, as root']],
  exits: [
    ['0', 'it runs'],
    ['1', 'it does not'],
    ['2', 'bad usage or configuration'],
    ['77', 'not permitted'],
  ],
  seeAlso: ['mosix down', 'mosix doctor', 'mosd'],
});

export const down = describeCommand({
  name: 'mosix down',
  verb: 'down',
  summary: 'bring everything home and end this node’s daemons',
  usage: ['[--config FILE]'],
  about: ['Brings all programs of this node home, sends guests home, and ends mosd and the engine.'],
  options: CONFIG,
  operands: [],
  examples: [['mosix down', 'before the machine is switched off']],
  exits: [
    ['0', 'done'],
    ['1', 'failed'],
    ['2', 'bad usage or configuration'],
    ['69', 'it does not run'],
    ['77', 'not permitted'],
  ],
  seeAlso: ['mosix up', 'mosd'],
});

export const status = describeCommand({
  name: 'mosix status',
  verb: 'status',
  summary: 'how this node and the others fare',
  usage: ['[--json]'],
  about: [
    'Says whether the daemons of this node run, which nodes it reaches, and how many programs are away and here as ' +
      'guests.',
  ],
  options: { json: { text: 'one JSON object' } },
  operands: [],
  examples: [['mosix status', 'this node on one screen']],
  exits: [
    ['0', 'all is well'],
    ['1', 'the engine or a node is down'],
    ['69', 'no daemon'],
  ],
  seeAlso: ['mosix doctor', 'mosps'],
});

export const doctor = describeCommand({
  name: 'mosix doctor',
  verb: 'doctor',
  summary: 'what this machine lacks, what that costs, and the way out',
  usage: ['[--json]', '--peer NODE [--json]'],
  about: [
    'Looks at what a node needs of its machine: kernel, rights, configuration, daemons, other nodes. Says of each ' +
      'whether it is there, and if not, what that costs and what to do. Changes nothing.',
  ],
  options: {
    peer: {
      value: { name: 'NODE', kind: 'node' },
      text: 'whether NODE and this node can work together: ports, clock, version, kernel',
    },
    json: { text: 'a list of {what, state, text}' },
  },
  operands: [],
  examples: [
    ['mosix doctor', 'when something does not work'],
    ['mosix doctor --peer n2', 'when a node is down, or programs do not move there (as root)'],
  ],
  exits: [
    ['0', 'nothing that is needed is missing'],
    ['1', 'something is'],
    ['2', 'bad usage'],
  ],
  seeAlso: ['mosix status', 'mosix logs'],
});

export const logs = describeCommand({
  name: 'mosix logs',
  verb: 'logs',
  summary: 'what the daemons of this node wrote, about one process or all',
  usage: ['[-n LINES] [-f] [PID]'],
  about: [
    'Shows what mosd and the engine of this node wrote, in the order of time; with PID what concerns that process.',
  ],
  options: {
    lines: { short: 'n', value: { name: 'LINES', kind: 'number' }, text: 'only the last LINES; default 50' },
    follow: { short: 'f', text: 'go on as more is written' },
  },
  operands: [{ name: 'PID', kind: 'pid' }],
  examples: [
    ['mosix logs 4711', 'what happened to a process'],
    ['mosix logs -f', 'as it happens'],
  ],
  exits: [
    ['0', 'done'],
    ['1', 'there is no journal'],
    ['2', 'bad usage'],
    ['77', 'not permitted'],
  ],
  seeAlso: ['mosps', 'mosix doctor'],
});

export const events = describeCommand({
  name: 'mosix events',
  verb: 'events',
  summary: 'what the balancer of this node did, and what it gained',
  usage: ['[-f] [--json] [PID]'],
  about: [
    'Shows which of your processes moved by themselves, or could not, with the reason, and after some seconds how much ' +
      'faster each became beside what was predicted. Root sees all.',
  ],
  options: {
    follow: { short: 'f', text: 'go on as more happens' },
    json: { text: 'one JSON object for each, with all figures' },
  },
  operands: [{ name: 'PID', kind: 'pid' }],
  examples: [
    ['mosix events -f', 'as it happens'],
    ['mosix events 4711', 'about one process'],
  ],
  exits: [
    ['0', 'done'],
    ['2', 'bad usage'],
    ['69', 'no daemon'],
  ],
  seeAlso: ['mosps', 'mosix logs'],
});

export const attach = describeCommand({
  name: 'mosix attach',
  verb: 'attach',
  summary: 'bring a process home to stay, so that a debugger may attach to it',
  usage: ['[--json] PID'],
  about: [
    'Brings PID home, if it is away, and has it stay there, untraced: then a debugger may attach to it. mosmigrate ' +
      'sends it away again.',
  ],
  options: { json: { text: '{ok, pid, from}' } },
  operands: [{ name: 'PID', kind: 'pid' }],
  examples: [['mosix attach 4711 && gdb -p 4711', 'look at it']],
  exits: [
    ['0', 'it is home'],
    ['1', 'it could not come'],
    ['2', 'bad usage'],
    ['69', 'no daemon'],
    ['77', 'not your process'],
  ],
  seeAlso: ['mosmigrate'],
});

export const calls = describeCommand({
  name: 'mosix calls',
  verb: 'calls',
  summary: 'which calls a process has its home make, and what brought it home',
  usage: ['[--json] PID'],
  about: ['The same as mosps --calls PID.'],
  options: { json: { text: 'one JSON object: {calls, reasons}' } },
  operands: [{ name: 'PID', kind: 'pid' }],
  examples: [['mosix calls 4711', 'when it is slower away than at home']],
  exits: [
    ['0', 'done'],
    ['1', 'no such process'],
    ['2', 'bad usage'],
    ['69', 'no daemon'],
    ['77', 'not your process'],
  ],
  seeAlso: ['mosps'],
});

export const completion = describeCommand({
  name: 'mosix completion',
  verb: 'completion',
  summary: 'completions of all commands for a shell',
  usage: ['{bash|zsh|fish}', '--words {node|place|pid|job}'],
  about: [
    'Prints a script that completes the commands, their options, and the names of nodes, processes and jobs. It is made ' +
      'from the same table as the commands themselves.',
  ],
  options: {
    words: {
      value: { name: 'KIND', kind: 'word', words: ['node', 'place', 'pid', 'job'] },
      text: 'what there is of KIND now, a line each; nothing without a daemon. The scripts ask this',
    },
  },
  operands: [{ name: 'SHELL', kind: 'word', words: ['bash', 'zsh', 'fish'] }],
  examples: [
    ['eval "$(mosix completion bash)"', 'in ~/.bashrc; with zsh instead of bash in ~/.zshrc, after compinit'],
    ['mosix completion fish > ~/.config/fish/completions/mosix.fish', 'once'],
  ],
  exits: [
    ['0', 'done'],
    ['2', 'bad usage'],
  ],
});
