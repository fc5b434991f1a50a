/**
 * mosd, the daemon of a node: reads the configuration, detaches unless told otherwise, and runs until told to end.
 *
 * Without --foreground the command returns when mosd answers (exit code 0) or with the reason why it does not.
 */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { parseCommandLine, type CommandLine } from '../lib/arguments.ts';
import { ConfigError, configFile, loadConfig, type NodeConfig } from '../lib/config.ts';
import { messageOf, reasonOf } from '../lib/errors.ts';
import { CommandError, EXIT } from '../lib/exit_codes.ts';
import { helpText } from '../lib/help_text.ts';
import { mosd } from '../lib/mosd_command.ts';
import { serveThisThreadSoon } from '../sys/priority.ts';
import { CommandClient } from '../wire/command_client.ts';
import { commandSocket, type MosdHello } from '../wire/command_protocol.ts';
import { IdentityError } from '../wire/identity/identity_error.ts';
import { IdentityStore } from '../wire/identity/identity_store.ts';
import { LineClient } from '../wire/line_client.ts';
import { RefusedError } from '../wire/line_errors.ts';
import { pause } from './backoff.ts';
import { loadIdentity } from './cluster_state.ts';
import { Daemon } from './daemon.ts';
import { AlreadyRunningError } from './instance_lock.ts';

/** Milliseconds until a started mosd answers: its engine has 15 s to start. */
const START_MS = 20_000;
const POLL_MS = 25;
const ANSWER_MS = 2_000;

async function main(args: readonly string[]): Promise<void> {
  const line = parseCommandLine(args, mosd);
  if (line.flags.has('help')) {
    process.stdout.write(helpText(mosd, process.stdout.columns || 80));
    return;
  }
  const file = configFile(line.values.get('config'));
  const config = loadConfig(file);
  if (line.flags.has('stop')) return stop(config);
  loadIdentity(new IdentityStore(config.stateDir)); // its problems are said here, not in the journal
  return start(line, file, config);
}

function start(line: CommandLine<typeof mosd.options>, file: string, config: NodeConfig): Promise<void> {
  return line.flags.has('foreground') ? runHere(file) : detach(file, config);
}

async function runHere(file: string): Promise<void> {
  serveThisThreadSoon(loadConfig(file).balance); // where nothing moves by itself nothing waits for it either
  const daemon = new Daemon({ configFile: file, onStop: () => process.exit(EXIT.done) });
  const end = (): void => {
    daemon.stop();
    process.exit(EXIT.done);
  };
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
  // A terminal that goes away, or a reader of standard error, is no reason to end.
  process.on('SIGHUP', () => {});
  process.stderr.on('error', () => {});
  await daemon.start();
}

/** Starts mosd in a session of its own and waits until it answers. */
async function detach(file: string, config: NodeConfig): Promise<void> {
  const running = await helloOf(config);
  if (running !== undefined) throw new AlreadyRunningError(String(running.pid));
  const journal = join(config.runDir, 'mosd.log');
  const output = openJournal(config.runDir, journal);
  const written = readFileSync(journal).length;
  const args = [...process.execArgv, process.argv[1], '--foreground', '--config', file];
  const child = spawn(process.execPath, args, { detached: true, stdio: ['ignore', output, output], cwd: '/' });
  closeSync(output);
  child.once('error', () => {}); // then it has no pid
  const hasEnded = (): boolean => child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
  const deadline = performance.now() + START_MS;
  while (!hasEnded() && performance.now() < deadline) {
    const hello = await helloOf(config);
    if (hello !== undefined && hello.pid === child.pid) {
      child.unref();
      report(hello, config);
      return;
    }
    await pause(POLL_MS, new AbortController().signal);
  }
  const said = readFileSync(journal).subarray(written).toString().trim().split('\n').at(-1) ?? '';
  const why =
    said.replace(/^mosd: /, '') ||
    (hasEnded()
      ? 'Cannot start mosd: it ended at once'
      : `Cannot start mosd: it did not answer within ${START_MS / 1000} s`);
  throw new CommandError(hasEnded() ? why : `${why}; see ${journal}`, EXIT.failed);
}

function report(hello: MosdHello, config: NodeConfig): void {
  if (hello.engineDown === undefined) return;
  process.stderr.write(
    `mosd: runs, but its engine does not: ${hello.engineDown}; see ${join(config.runDir, 'engine.log')}\n`,
  );
}

function openJournal(directory: string, journal: string): number {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o755 });
    return openSync(journal, 'a', 0o644);
  } catch (error) {
    throw new CommandError(`Cannot write ${journal}: ${reasonOf(error)}`, EXIT.failed, { cause: error });
  }
}

async function stop(config: NodeConfig): Promise<void> {
  const path = commandSocket(config.runDir);
  const connection = await LineClient.connect(path, ANSWER_MS).catch((error: unknown) => {
    throw new CommandError(`Cannot stop mosd: it does not run here (nothing answers on ${path})`, EXIT.unavailable, {
      cause: error,
    });
  });
  using client = connection;
  await new CommandClient(client).shutdown();
}

/** @returns undefined if no mosd answers here */
async function helloOf(config: NodeConfig): Promise<MosdHello | undefined> {
  try {
    using client = await LineClient.connect(commandSocket(config.runDir), ANSWER_MS);
    return await new CommandClient(client).hello();
  } catch {
    return undefined;
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommandError) return error.exitCode;
  if (error instanceof ConfigError || error instanceof IdentityError) return EXIT.usage;
  return error instanceof RefusedError && error.code === 'not-permitted' ? EXIT.notPermitted : EXIT.failed;
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`mosd: ${messageOf(error)}\n`);
  process.exit(exitCodeOf(error));
});
