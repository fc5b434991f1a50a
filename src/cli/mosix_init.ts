/** mosix init and join: this machine becomes a node, the first one of a cluster or another. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { dirname } from 'node:path';

import type { CommandLine } from '../lib/arguments.ts';
import { configFile, loadConfig } from '../lib/config.ts';
import { messageOf, reasonOf } from '../lib/errors.ts';
import { CommandError, EXIT } from '../lib/exit_codes.ts';
import { isNodeName, NODE_NAME_RULE } from '../lib/node_name.ts';
import { placesOf } from '../lib/own_places.ts';
import { PORTS, type PeerConfig } from '../lib/places.ts';
import { foundCluster } from '../wire/identity/found_cluster.ts';
import { IdentityStore } from '../wire/identity/identity_store.ts';
import { joinCluster } from '../wire/identity/join.ts';
import { decodeToken } from '../wire/identity/token.ts';
import * as commands from './commands/cluster_verbs.ts';
import { writeOut } from './output.ts';
import { perform } from './run_command.ts';
import { startDaemon } from './start_daemon.ts';

const JOIN_MS = 10_000;
/** Who this node is to be, as far as it was said. */
type Asked = Partial<Record<'node' | 'address' | 'port' | 'guest-port', string>>;

export const init = (args: readonly string[]): Promise<number> => perform(commands.init, args, makeCluster);

export const join = (args: readonly string[]): Promise<number> => perform(commands.join, args, enterCluster);

async function makeCluster({ values, flags }: CommandLine<typeof commands.init.options>): Promise<number> {
  const file = configFile(values.get('config'));
  const cluster = named(values.get('name') ?? 'mosix', 'cluster');
  await becomeFirstNode({ cluster, file, asked: askedOf(values) });
  return flags.has('no-start') ? EXIT.done : startDaemon(file);
}

/** Makes a cluster of this machine alone. @throws CommandError */
export async function becomeFirstNode(wish: { cluster: string; file: string; asked: Asked }): Promise<void> {
  const { cluster, file, asked } = wish;
  const store = prepared(file, 'make a cluster');
  const place = placeOf(asked, file);
  const { identity, authority } = await foundCluster({ cluster, place, now: Date.now() });
  writeConfig(file, place);
  attempt(() => {
    store.saveAuthority(authority);
    store.saveIdentity(identity);
  });
  writeOut(`made the cluster "${cluster}"; this is its first node, "${place.name}" at ${place.address}\n`);
  writeOut('mosix token prints what another machine needs to join\n');
}

async function enterCluster({ values, flags, operands }: CommandLine<typeof commands.join.options>): Promise<number> {
  const [given] = operands;
  if (given === undefined)
    throw new CommandError('which token? mosix token prints one, on the node that made the cluster', EXIT.usage);
  const file = configFile(values.get('config'));
  const store = prepared(file, 'join a cluster');
  const token = guarded(() => decodeToken(given === '-' ? readFileSync(0, 'utf8') : given), EXIT.usage);
  const asked = askedOf(values);
  const configured = placeOf(asked, file);
  // An address that was not asked for is a guess: the way to the cluster knows better.
  const isKnown = asked.address !== undefined || existsSync(file);
  const wanted = isKnown ? configured : { ...configured, address: undefined };
  const { identity, place } = await joinCluster({ token, place: wanted, timeoutMs: JOIN_MS });
  writeConfig(file, place);
  attempt(() => store.saveIdentity(identity));
  const { cluster, nodes } = identity.charter;
  writeOut(
    `this is node "${place.name}" at ${place.address} of the cluster "${cluster}", of ${nodes.length} nodes now\n`,
  );
  return flags.has('no-start') ? EXIT.done : startDaemon(file);
}

function askedOf(values: { get(name: keyof Asked): string | undefined }): Asked {
  return {
    node: values.get('node'),
    address: values.get('address'),
    port: values.get('port'),
    'guest-port': values.get('guest-port'),
  };
}

/** @throws CommandError if this machine is a node already, or others' */
function prepared(file: string, what: string): IdentityStore {
  const configured = existsSync(file);
  const stateDir = configured ? guarded(() => loadConfig(file), EXIT.usage).stateDir : placesOf(file).stateDir;
  const store = new IdentityStore(stateDir);
  const present = attempt(() => store.load());
  if (present === undefined) return store;
  throw new CommandError(
    `Cannot ${what}: this node is in the cluster "${present.charter.cluster}"; mosix leave takes it out`,
    EXIT.failed,
  );
}

/** As it is configured, else as it is asked for or can be guessed. */
function placeOf(asked: Asked, file: string): PeerConfig {
  if (existsSync(file)) {
    const [option] = Object.entries(asked).find(([, value]) => value !== undefined) ?? [];
    if (option !== undefined)
      throw new CommandError(`${file} says who this node is: change that, or leave --${option} out`, EXIT.usage);
    const { name, address, port, guestPort } = guarded(() => loadConfig(file), EXIT.usage);
    return { name, address, port, guestPort };
  }
  const address = asked.address ?? ownAddress();
  if (isIP(address) === 0) throw new CommandError(`"${address}" is no IP address`, EXIT.usage);
  return {
    name: named(asked.node ?? ownName(), 'node'),
    address,
    port: portOf(asked.port, PORTS.control),
    guestPort: portOf(asked['guest-port'], PORTS.guest),
  };
}

function writeConfig(file: string, { name, address, port, guestPort }: PeerConfig): void {
  if (existsSync(file)) return;
  const ports = [
    ...(port === PORTS.control ? [] : [`port = ${port}\n`]),
    ...(guestPort === PORTS.guest ? [] : [`guest_port = ${guestPort}\n`]),
  ];
  attempt(() => {
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
    writeFileSync(file, `name = "${name}"\naddress = "${address}"\n${ports.join('')}`, { mode: 0o644, flag: 'wx' });
  });
}

function named(name: string, what: string): string {
  if (isNodeName(name)) return name;
  throw new CommandError(`"${name}" is no name for a ${what}: ${NODE_NAME_RULE}`, EXIT.usage);
}

function portOf(text: string | undefined, usual: number): number {
  const port = text === undefined ? usual : Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65536) return port;
  throw new CommandError(`"${text}" is no port`, EXIT.usage);
}

function ownName(): string {
  const name = hostname().split('.')[0].toLowerCase();
  return isNodeName(name) ? name : 'node1';
}

/** As others reach this machine; without a network its own. */
function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return all.find(({ internal, family }) => !internal && family === 'IPv4')?.address ?? '127.0.0.1';
}

function attempt<T>(work: () => T): T {
  return guarded(work, EXIT.failed);
}

function guarded<T>(work: () => T, exitCode: number): T {
  try {
    return work();
  } catch (error) {
    const message = messageOf(error);
    const whole = message.startsWith('Cannot ') ? message : `Cannot write the configuration: ${reasonOf(error)}`;
    throw new CommandError(whole, exitCode, { cause: error });
  }
}
