/** mosix: one command for all; and what concerns the node as a whole: starting and ending it, how it fares, what it lacks. */
import type { CommandLine } from '../lib/arguments.ts';
import { CommandError, EXIT } from '../lib/exit_codes.ts';
import { suggestion } from '../lib/suggest.ts';
import { COMMANDS, MOSIX } from './commands/table.ts';
import { attach } from './mosix_attach.ts';
import { cluster, leave, revoke, rotateCa, set, token } from './mosix_cluster.ts';
import { calls } from './mosix_calls.ts';
import { completion } from './mosix_completion.ts';
import { doctor } from './mosix_doctor.ts';
import { events } from './mosix_events.ts';
import { init, join } from './mosix_init.ts';
import { logs } from './mosix_logs.ts';
import { status } from './mosix_status.ts';
import { down, up } from './mosix_up.ts';
import { exitWith, perform } from './run_command.ts';

type Verb = (args: readonly string[]) => Promise<number>;

/** bin/launch.sh hands the other verbs to their own commands. */
const OWN: Readonly<Record<string, Verb>> = {
  up,
  down,
  init,
  token,
  join,
  leave,
  cluster,
  set,
  revoke,
  'rotate-ca': rotateCa,
  status,
  doctor,
  logs,
  events,
  attach,
  calls,
  completion,
};

async function main({ operands: [name, ...args] }: CommandLine<typeof MOSIX.options>): Promise<number> {
  if (name === undefined) throw new CommandError('what is to be done? mosix --help lists the verbs', EXIT.usage);
  const verb = Object.hasOwn(OWN, name) ? OWN[name] : undefined;
  if (verb !== undefined) return verb(args);
  const near = suggestion(
    name,
    COMMANDS.flatMap((command) => command.verb ?? []),
  );
  throw new CommandError(`there is no command "${name}"${near}; see mosix --help`, EXIT.usage);
}

exitWith('mosix', perform(MOSIX, process.argv.slice(2), main));
