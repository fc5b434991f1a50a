/** What `mosix` does with the cluster: making it, entering and leaving it, its rules. See mosix_init.ts and mosix_cluster.ts. */
import { describeCommand } from '../../lib/command.ts';
import { PORTS } from '../../lib/places.ts';

const EXITS = [
  ['0', 'done'],
  ['1', 'failed'],
  ['2', 'bad usage'],
  ['69', 'no daemon'],
  ['77', 'not permitted'],
] as const;
const START_EXITS = EXITS.filter(([code]) => code !== '69');

const CONFIG = {
  value: { name: 'FILE', kind: 'file' },
  text: "the configuration; default: $MOSIX_CONFIG, else a user's own, else /etc/mosix/mosix.toml",
} as const;

const PLACE = {
  node: { value: { name: 'NAME', kind: 'text' }, text: 'of this node; default: its host name' },
  address: {
    value: { name: 'IP', kind: 'text' },
    text: 'where other nodes reach this one; default: the address with which it reaches them',
  },
  port: { value: { name: 'N', kind: 'number' }, text: `TCP port between daemons; default ${PORTS.control}` },
  'guest-port': { value: { name: 'N', kind: 'number' }, text: `TCP port between engines; default ${PORTS.guest}` },
  'no-start': { text: 'only write the configuration and the identity' },
  config: CONFIG,
} as const;

export const init = describeCommand({
  name: 'mosix init',
  verb: 'init',
  summary: 'make a cluster, with this machine as its first node',
  usage: ['[--name CLUSTER] [options]'],
  about: [
    'Makes a new cluster: its authority (CA), and this machine as its first node, which is started. Other machines enter ' +
      'it with tokens: see mosix token.',
  ],
  options: { name: { value: { name: 'CLUSTER', kind: 'text' }, text: 'of the cluster; default: mosix' }, ...PLACE },
  operands: [],
  examples: [['mosix init --name lab', 'on the first machine, as root']],
  exits: START_EXITS,
  seeAlso: ['mosix token', 'mosix join'],
});

export const join = describeCommand({
  name: 'mosix join',
  verb: 'join',
  summary: 'make this machine a node of a cluster',
  usage: ['TOKEN [options]', '- [options]'],
  about: [
    'Makes this machine a node of the cluster that the token is for, and starts it. "-" reads the token from standard ' +
      'input, so that it is in no list of processes. The node’s key is made here and does not leave.',
  ],
  options: PLACE,
  operands: [{ name: 'TOKEN', kind: 'text' }],
  examples: [['mosix join mosix-AXq3', 'on each other machine, as root, with a token of its own']],
  exits: START_EXITS,
  seeAlso: ['mosix token', 'mosix leave'],
});

export const token = describeCommand({
  name: 'mosix token',
  verb: 'token',
  summary: 'print a token with which another machine can join',
  usage: ['[--ttl TIME] [--address IP] [--json]'],
  about: [
    'Prints a token with which one machine can join the cluster, once. Whoever has it may do that, so show it to nobody ' +
      'else. To be run on the node that made the cluster.',
  ],
  options: {
    ttl: { value: { name: 'TIME', kind: 'text' }, text: 'how long it is good: 30s, 10m, 12h, 2d; default 1h' },
    address: {
      value: { name: 'IP', kind: 'text' },
      text: 'where the new node reaches this one; default: as configured',
    },
    json: { text: '{token, expires}; in milliseconds since 1970' },
  },
  operands: [],
  examples: [
    ['mosix token', 'then, on the other machine: mosix join TOKEN'],
    ['mosix token --ttl 5m', 'one that is good for five minutes'],
  ],
  exits: EXITS,
  seeAlso: ['mosix join', 'mosix revoke'],
});

export const leave = describeCommand({
  name: 'mosix leave',
  verb: 'leave',
  summary: 'take this node out of its cluster',
  usage: ['[--force] [--config FILE]'],
  about: [
    'Brings all programs home, ends the daemons, and takes this node out of its cluster. With --force also when the ' +
      'others cannot be told; then revoke it there.',
  ],
  options: { force: { text: 'also when the others cannot be told' }, config: CONFIG },
  operands: [],
  examples: [['mosix leave', 'before the machine is given away']],
  exits: EXITS,
  seeAlso: ['mosix join', 'mosix revoke'],
});

export const revoke = describeCommand({
  name: 'mosix revoke',
  verb: 'revoke',
  summary: 'take a node out of the cluster for good',
  usage: ['NODE'],
  about: [
    'All other nodes drop their links with NODE and refuse it from now on, whatever certificates it has. Programs that ' +
      'are away between it and them end.',
  ],
  options: {},
  operands: [{ name: 'NODE', kind: 'node' }],
  examples: [['mosix revoke n3', 'when that machine was lost or stolen']],
  exits: EXITS,
  seeAlso: ['mosix leave', 'mosix cluster'],
});

export const rotateCa = describeCommand({
  name: 'mosix rotate-ca',
  verb: 'rotate-ca',
  summary: 'replace the cluster’s authority',
  usage: ['[--finish]'],
  about: [
    'Makes a new authority (CA). Each node gets a certificate of it by itself; until all have one, both authorities are ' +
      'believed. Then the old one is dropped.',
  ],
  options: { finish: { text: 'drop the old one now: nodes that have not been there meanwhile must join again' } },
  operands: [],
  examples: [['mosix rotate-ca', 'when its key may have leaked']],
  exits: EXITS,
  seeAlso: ['mosix cluster'],
});

export const set = describeCommand({
  name: 'mosix set',
  verb: 'set',
  summary: 'change settings of the whole cluster',
  usage: ['NAME=VALUE…'],
  about: ['Changes settings for all nodes. To be run on the node that made the cluster; mosix cluster shows them.'],
  options: {},
  operands: [{ name: 'NAME=VALUE', kind: 'text', many: true }],
  sections: [
    {
      title: 'Settings',
      body: [['certificate_days=90', 'after two thirds of which each node gets a new certificate']],
    },
  ],
  examples: [['mosix set certificate_days=30', 'new certificates every twenty days']],
  exits: EXITS,
  seeAlso: ['mosix cluster'],
});

export const cluster = describeCommand({
  name: 'mosix cluster',
  verb: 'cluster',
  summary: 'who belongs to the cluster, and under which rules',
  usage: ['[--json]'],
  about: ['Shows the cluster: its nodes, its authority, its settings, and who has been revoked.'],
  options: { json: { text: 'one JSON object' } },
  operands: [],
  examples: [['mosix cluster', 'on any node']],
  exits: EXITS,
  seeAlso: ['mosix status', 'mosix set'],
});
