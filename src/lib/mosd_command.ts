/** The command line of mosd, for mosd itself and for the manual. */
import { describeCommand } from './command.ts';

export const mosd = describeCommand({
  name: 'mosd',
  manual: 8,
  summary: 'the daemon of a node',
  usage: ['[--config FILE] [--foreground]', '[--config FILE] --stop'],
  about: [
    'Starts the MOSIX daemon of this node, and its engine if none runs yet. Programs that are away stay away when mosd ' +
      'ends or starts anew; --stop brings everything home first and ends the engine, too.',
  ],
  options: {
    config: {
      value: { name: 'FILE', kind: 'file' },
      text: "configuration; default: $MOSIX_CONFIG, else a user's own, else /etc/mosix/mosix.toml",
    },
    foreground: { text: 'do not detach; write the journal to standard error' },
    stop: { text: 'bring programs home, send guests home, and end mosd and its engine' },
  },
  operands: [],
  sections: [
    {
      title: 'The configuration is TOML',
      body: [
        ['name = "n1"', 'this node'],
        ['address = "10.0.0.1"', 'where other nodes reach it'],
        ['port = 7100', 'between daemons (default)'],
        ['guest_port = 7101', 'between engines (default)'],
        ['run_dir = "/run/mosix"', 'sockets and journals (default)'],
        ['state_dir = "/var/lib/mosix"', 'this node’s key and certificate, and what it knows of the cluster (default)'],
      ],
    },
  ],
  examples: [
    ['mosd', 'as root; mosix up does the same; mosix init and mosix join make the configuration'],
    ['mosd --stop', 'before the machine is switched off'],
  ],
  exits: [
    ['0', 'done'],
    ['1', 'failed'],
    ['2', 'bad usage or configuration'],
    ['69', 'mosd does not run (--stop)'],
    ['77', 'not permitted'],
  ],
  seeAlso: ['mosix', 'mosps'],
});
