/** All commands: what `mosix` offers, and what manual pages and completions are made from. */
import type { CommandDescription } from '../../lib/command.ts';
import { mosd } from '../../lib/mosd_command.ts';
import { cluster, init, join, leave, revoke, rotateCa, set, token } from './cluster_verbs.ts';
import { mosix } from './mosix.ts';
import { mosctl } from './mosctl.ts';
import { moskillall } from './moskillall.ts';
import { mosbestnode } from './mosbestnode.ts';
import { mosenv } from './mosenv.ts';
import { mosmigrate } from './mosmigrate.ts';
import { mosmon, top } from './mosmon.ts';
import { mosnative } from './mosnative.ts';
import { mosps } from './mosps.ts';
import { mosrun } from './mosrun.ts';
import { mostimeof } from './mostimeof.ts';
import { attach, calls, completion, doctor, down, events, logs, status, up } from './node_verbs.ts';

/** In the order in which `mosix --help` lists them. */
export const COMMANDS: readonly CommandDescription[] = [
  up,
  down,
  init,
  token,
  join,
  leave,
  cluster,
  set,
  revoke,
  rotateCa,
  status,
  doctor,
  logs,
  events,
  mosrun,
  mosmigrate,
  mosps,
  mosmon,
  top,
  mosctl,
  mosbestnode,
  moskillall,
  mostimeof,
  calls,
  attach,
  mosnative,
  mosenv,
  completion,
  mosd,
];

/** The command whose verbs the others are. */
export const MOSIX = {
  ...mosix,
  sections: [
    {
      title: 'Verbs',
      body: COMMANDS.flatMap(({ verb, summary }) => (verb === undefined ? [] : [[verb, summary] as const])),
    },
  ],
};

export const ALL: readonly CommandDescription[] = [MOSIX, ...COMMANDS];

/** Commands of their own, which have a file in bin/. */
export const CLASSIC: readonly CommandDescription[] = ALL.filter(({ name }) => !name.includes(' '));
