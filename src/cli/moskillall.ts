/** moskillall: sends a signal to all processes of one's jobs, wherever they are. */
import { constants } from 'node:os';

import { CommandError, EXIT } from '../lib/exit_codes.ts';
import { errnoOf } from '../lib/errors.ts';
import { jsonLine } from '../lib/json_lines.ts';
import type { CommandLine } from '../lib/arguments.ts';
import type { CommandClient } from '../wire/command_client.ts';
import { moskillall } from './commands/moskillall.ts';
import { withDaemon } from './daemon_client.ts';
import { exitWith, perform } from './run_command.ts';
import { writeOut } from './output.ts';

/** Looks for processes that are born while the others get the signal. */
const MAX_ROUNDS = 100;

/** `-KILL` is no option, but stands where options do. */
function main(args: readonly string[]): Promise<number> {
  const signalAt = args.findIndex((word) => /^-(\d{1,2}|(SIG)?[A-Z][A-Z0-9]{1,9})$/.test(word) && word !== '-J');
  const rest = signalAt < 0 ? args : args.toSpliced(signalAt, 1);
  return perform(moskillall, rest, async (line) =>
    signalJobs(line, signalAt < 0 ? 'SIGTERM' : signalOf(args[signalAt].slice(1))),
  );
}

async function signalJobs(line: CommandLine<typeof moskillall.options>, signal: NodeJS.Signals): Promise<number> {
  const tag = line.values.get('job');
  const done = await withDaemon((mosd) => signalAll(mosd, signal, tag));
  if (done.jobs.size === 0)
    throw new CommandError(tag === undefined ? 'you have no jobs here' : `you have no job ${tag} here`, EXIT.failed);
  const [jobs, processes] = [done.jobs.size, done.processes.size];
  if (line.flags.has('json')) writeOut(jsonLine({ signal, jobs: [...done.jobs], processes: [...done.processes] }));
  else writeOut(`${count(processes, 'process', 'processes')} of ${count(jobs, 'job', 'jobs')}: ${signal}\n`);
  if (done.refused.length === 0) return EXIT.done;
  throw new CommandError(`Cannot signal process ${done.refused.join(', ')}: not permitted`, EXIT.failed);
}

interface Done {
  jobs: Set<number>;
  processes: Set<number>;
  refused: number[];
}

async function signalAll(mosd: CommandClient, signal: NodeJS.Signals, tag: string | undefined): Promise<Done> {
  const done: Done = { jobs: new Set(), processes: new Set(), refused: [] };
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const jobs = (await mosd.jobs()).filter((job) => tag === undefined || job.tag === tag);
    const fresh = jobs.flatMap(({ processes }) => processes).filter((pid) => !done.processes.has(pid));
    for (const job of jobs) done.jobs.add(job.pid);
    if (fresh.length === 0) break;
    for (const pid of fresh) {
      done.processes.add(pid);
      if (!sendSignal(pid, signal)) done.refused.push(pid);
    }
  }
  return done;
}

/** The kernel says who may. @returns false if it does not permit it; one that has ended is no failure */
function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    return errnoOf(error) !== 'EPERM';
  }
}

function signalOf(text: string): NodeJS.Signals {
  const known = Object.entries(constants.signals);
  const name = text.startsWith('SIG') ? text : `SIG${text}`;
  const found = known.find(([one, number]) => one === name || String(number) === text);
  if (found === undefined) throw new CommandError(`there is no signal ${text}`, EXIT.usage);
  return found[0] as NodeJS.Signals; // cast: a key of the table of signals
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}

exitWith('moskillall', main(process.argv.slice(2)));
