/** mosix up and down: the node's daemons, started with one command, also on a machine that has never seen them. */
import { existsSync } from 'node:fs';

import type { CommandLine } from '../lib/arguments.ts';
import { configFile, loadConfig } from '../lib/config.ts';
import { EXIT } from '../lib/exit_codes.ts';
import { placesOf } from '../lib/own_places.ts';
import { IdentityStore } from '../wire/identity/identity_store.ts';
import { LineClient } from '../wire/line_client.ts';
import * as commands from './commands/node_verbs.ts';
import { becomeFirstNode } from './mosix_init.ts';
import { status } from './mosix_status.ts';
import { writeOut } from './output.ts';
import { daemonSocket } from './refusals.ts';
import { perform } from './run_command.ts';
import { startDaemon, stopDaemon } from './start_daemon.ts';

type Line = CommandLine<typeof commands.up.options>;

/** The name of a cluster that nobody has named. */
const CLUSTER = 'mosix';
const CONNECT_MS = 2_000;

export const up = (args: readonly string[]): Promise<number> => perform(commands.up, args, start);

export const down = (args: readonly string[]): Promise<number> => perform(commands.down, args, end);

async function start(line: Line): Promise<number> {
  const file = configFile(line.values.get('config'));
  if (await isUp()) {
    writeOut('mosd runs already\n');
    await status([]);
    return EXIT.done;
  }
  const stateDir = existsSync(file) ? loadConfig(file).stateDir : placesOf(file).stateDir;
  if (new IdentityStore(stateDir).load() === undefined) await becomeFirstNode({ cluster: CLUSTER, file, asked: {} });
  return startDaemon(file);
}

async function end(line: Line): Promise<number> {
  const code = stopDaemon(configFile(line.values.get('config')));
  if (code === EXIT.done) writeOut('all programs are home; mosd and the engine have ended\n');
  return Promise.resolve(code);
}

async function isUp(): Promise<boolean> {
  try {
    using _connection = await LineClient.connect(daemonSocket(), CONNECT_MS);
    return true;
  } catch {
    return false;
  }
}
