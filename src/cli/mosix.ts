/** mosix: the node as a whole: starting and ending it, how it fares, what it lacks, what it wrote; and attaching to a process. */
import { CommandError, EXIT } from '../lib/exit_codes.ts';
import { suggestion } from '../lib/suggest.ts';
import { attach } from './mosix_attach.ts';
import { doctor } from './mosix_doctor.ts';
import { logs } from './mosix_logs.ts';
import { status } from './mosix_status.ts';
import { down, up } from './mosix_up.ts';
import { runCommand } from './run_command.ts';
import { writeOut } from './terminal.ts';

const HELP = `Usage: mosix COMMAND [options]

  up               start this node; without a configuration it is made first
  down             bring everything home and end this node's daemons
  status           how this node and the others fare
  doctor           what this machine lacks, what that costs, and the way out
  logs [PID]       what the daemons of this node wrote, about one process or all
  attach PID       bring a process home to stay, so that a debugger may attach to it
  calls PID        which calls a process has its home make, and what brought it home

  run, migrate, ps, killall, timeof    as mosrun, mosmigrate, mosps, moskillall, mostimeof

Each has --help. Exit codes: 0 done, 1 failed, 2 bad usage, 69 no daemon, 77 not permitted.
`;

const COMMANDS: Readonly<Record<string, (args: readonly string[]) => Promise<number>>> = {
  up,
  down,
  status,
  doctor,
  logs,
  attach,
};

/** Those that bin/launch.sh hands to other commands; named here for suggestions only. */
const ELSEWHERE = ['run', 'migrate', 'ps', 'killall', 'timeof', 'calls'];

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined) throw new CommandError('what is to be done? mosix --help lists the commands', EXIT.usage);
  if (name === '--help') {
    writeOut(HELP);
    return EXIT.done;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command !== undefined) return command(args);
  const near = suggestion(name, [...Object.keys(COMMANDS), ...ELSEWHERE]);
  throw new CommandError(`there is no command "${name}"${near}; see mosix --help`, EXIT.usage);
}

runCommand('mosix', main);
