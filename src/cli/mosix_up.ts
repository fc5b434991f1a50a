/** mosix up and down: the node's daemons, started with one command, also on a machine that has never seen them. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { dirname } from 'node:path';

import type { CommandLine } from '../lib/arguments.ts';
import { reasonOf } from '../lib/errors.ts';
import { configFile } from '../lib/config.ts';
import { CommandError, EXIT } from '../lib/exit_codes.ts';
import { isNodeName } from '../lib/node_name.ts';
import { DEFAULT_KEY_FILE } from '../lib/places.ts';
import { LineClient } from '../wire/line_client.ts';
import * as commands from './commands/node_verbs.ts';
import { launcherOf } from './launcher.ts';
import { status } from './mosix_status.ts';
import { daemonSocket } from './refusals.ts';
import { writeOut } from './output.ts';
import { perform } from './run_command.ts';

type Line = CommandLine<typeof commands.up.options>;

export const up = (args: readonly string[]): Promise<number> => perform(commands.up, args, start);

export const down = (args: readonly string[]): Promise<number> => perform(commands.down, args, end);

async function start(line: Line): Promise<number> {
  const file = configFile(line.values.get('config'));
  if (await isUp()) writeOut('mosd runs already\n');
  else {
    if (process.geteuid?.() !== 0)
      throw new CommandError('Cannot start mosd: only root may; try: sudo mosix up', EXIT.notPermitted);
    if (!existsSync(file)) configure(file);
    const code = mosd(['--config', file]);
    if (code !== EXIT.done) return code;
  }
  await status([]);
  return EXIT.done;
}

async function end(line: Line): Promise<number> {
  const code = mosd(['--stop', '--config', configFile(line.values.get('config'))]);
  if (code === EXIT.done) writeOut('all programs are home; mosd and the engine have ended\n');
  return code;
}

/** Runs it as it is, with its own messages. @returns its exit code */
function mosd(args: readonly string[]): number {
  const { status: code, error } = spawnSync(launcherOf('mosd'), args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (error !== undefined) throw error;
  return code ?? EXIT.failed;
}

const CONNECT_MS = 2_000;

async function isUp(): Promise<boolean> {
  try {
    using _connection = await LineClient.connect(daemonSocket(), CONNECT_MS);
    return true;
  } catch {
    return false;
  }
}

const KEY_BYTES = 32;

function configure(file: string): void {
  const name = nodeName();
  const address = ownAddress();
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
    if (!existsSync(DEFAULT_KEY_FILE)) {
      mkdirSync(dirname(DEFAULT_KEY_FILE), { recursive: true, mode: 0o755 });
      writeFileSync(DEFAULT_KEY_FILE, `${randomBytes(KEY_BYTES).toString('hex')}\n`, { mode: 0o600, flag: 'wx' });
      writeOut(`made ${DEFAULT_KEY_FILE}; the other nodes need the same\n`);
    }
    writeFileSync(file, `name = "${name}"\naddress = "${address}"\n`, { mode: 0o644, flag: 'wx' });
  } catch (error) {
    throw new CommandError(`Cannot write the configuration: ${reasonOf(error)}`, EXIT.failed, { cause: error });
  }
  writeOut(`made ${file}: this is node "${name}" at ${address}, and there are no others yet; see mosd --help\n`);
}

function nodeName(): string {
  const name = hostname().split('.')[0].toLowerCase();
  return isNodeName(name) ? name : 'node1';
}

/** As others reach this machine; without a network its own. */
function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return all.find(({ internal, family }) => !internal && family === 'IPv4')?.address ?? '127.0.0.1';
}
