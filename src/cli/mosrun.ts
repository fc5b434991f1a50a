/**
 * mosrun: runs a program as a migratable job of this node. It tells mosd what the user wishes, then *becomes* the
 * program: exit status, signals, terminal and job control are the program's own, because nothing stands in between.
 *
 * It stands in front of every program, so it imports little (tools/tidy/layers.ts sees to it).
 */
import { writeSync } from 'node:fs';

import { parseCommandLine, type CommandLine } from '../lib/arguments.ts';
import { messageOf } from '../lib/errors.ts';
import { CommandError, EXIT } from '../lib/exit_codes.ts';
import { helpText } from '../lib/help_text.ts';
import type { RunOptions } from '../wire/command_protocol.ts';
import { become } from './become.ts';
import { BlockingClient } from './blocking_client.ts';
import { mosrun } from './commands/mosrun.ts';
import { textWidth, writeOut } from './output.ts';
import { asCommandError, daemonSocket, noDaemon } from './refusals.ts';
import { runTimed } from './timed_run.ts';

/** Milliseconds until mosd answers: to ping a node it takes three seconds at most. */
const ANSWER_MS = 10_000;

function main(args: readonly string[]): number {
  const line = parseCommandLine(args, mosrun);
  if (line.flags.has('help')) {
    writeOut(helpText(mosrun, textWidth()));
    return EXIT.done;
  }
  const options = wishesOf(line);
  if (line.operands.length === 0) throw new CommandError('there is no program to run; see mosrun --help', EXIT.usage);
  if (line.flags.has('time')) return runTimed(args);
  const mosd = register(options, line.flags.has('force'));
  // The connection is still open and closes with the exec: that is how mosd knows that the program has begun.
  const failure = become(line.operands.length, mosd?.mark);
  if (mosd !== undefined) cancel(mosd.client);
  throw new CommandError(`Cannot run ${line.operands[0]}: ${failure.reason}`, failure.exitCode);
}

function wishesOf({ flags, values }: CommandLine<typeof mosrun.options>): RunOptions {
  const restrict = values.get('on');
  if (restrict !== undefined && flags.has('home'))
    throw new CommandError('options -r and -h exclude each other', EXIT.usage);
  if (flags.has('stay') && flags.has('roam'))
    throw new CommandError('options -L and -l exclude each other', EXIT.usage);
  const begins = [flags.has('best'), values.get('among') !== undefined, restrict !== undefined, flags.has('home')];
  if (begins.filter(Boolean).length > 1)
    throw new CommandError('options -r, -b, -j and -h exclude each other', EXIT.usage);
  if (flags.has('ignore-io') && flags.has('count-io'))
    throw new CommandError('options -c and -n exclude each other', EXIT.usage);
  const stay = flags.has('stay') ? true : flags.has('roam') ? false : undefined;
  const memory = values.get('memory');
  return {
    restrict,
    home: flags.has('home') || undefined,
    stay,
    job: values.get('job'),
    best: flags.has('best') || undefined,
    among: listOf(values.get('among')),
    nodes: listOf(values.get('nodes')),
    notNodes: listOf(values.get('not-nodes')),
    freeMegabytes: memory === undefined ? undefined : Number(memory),
    countCalls: flags.has('ignore-io') ? false : flags.has('count-io') ? true : undefined,
  };
}

function listOf(text: string | undefined): string[] | undefined {
  return text?.split(',').filter((name) => name !== '');
}

/** @returns undefined if mosd cannot be reached and the user wants to run anyway */
function register(options: RunOptions, force: boolean): Registered | undefined {
  try {
    return tryToRegister(options);
  } catch (error) {
    const failure = asCommandError(error);
    if (!force || failure.exitCode !== EXIT.unavailable) throw failure;
    complain(`${failure.message}; running it here`);
  }
  try {
    // Without the wish that cannot be fulfilled it may still be a job of this node.
    return tryToRegister({ ...options, restrict: undefined, among: undefined });
  } catch {
    return undefined;
  }
}

interface Registered {
  client: BlockingClient;
  mark: string | undefined;
}

function tryToRegister(options: RunOptions): Registered {
  const mosd = connect();
  try {
    const { mark } = Object(mosd.request('run', { options }));
    return { client: mosd, mark: typeof mark === 'string' ? mark : undefined };
  } catch (error) {
    mosd[Symbol.dispose]();
    throw error;
  }
}

function connect(): BlockingClient {
  const path = daemonSocket();
  try {
    return new BlockingClient(path, ANSWER_MS);
  } catch (error) {
    throw noDaemon(path, error);
  }
}

function cancel(mosd: BlockingClient): void {
  try {
    mosd.request('cancel-run');
  } catch {
    // If mosd is gone there is nothing to take back.
  }
}

function complain(message: string): void {
  try {
    writeSync(2, `mosrun: ${message}\n`);
  } catch {
    // Standard error is closed: the exit code says it.
  }
}

try {
  process.exit(main(process.argv.slice(2)));
} catch (error) {
  complain(messageOf(error));
  process.exit(error instanceof CommandError ? error.exitCode : EXIT.failed);
}
