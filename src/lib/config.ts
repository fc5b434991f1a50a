/**
 * The configuration of a node: a TOML file that mosd and the engine read, and the cluster's key beside it.
 *
 * Promise: whatever is wrong is said with the file, the key and what would be right; nothing unknown is ignored,
 * because a mistyped key that silently does nothing costs an afternoon.
 */
import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { parse, TomlError } from 'smol-toml';
import * as v from 'valibot';

import { reasonOf } from './errors.ts';
import { isNodeName, NODE_NAME_RULE } from './node_name.ts';
import { DEFAULT_CONFIG_FILE, DEFAULT_KEY_FILE, DEFAULT_RUN_DIR, type PeerConfig } from './places.ts';
import { suggestion } from './suggest.ts';

/** Between two mosd. */
const DEFAULT_PORT = 7100;
/** Between two engines. */
const DEFAULT_GUEST_PORT = 7101;
/** In gossip this stands for no limit. */
const MOST_GUESTS = 65_535;
const KEY_DIGITS = /^[0-9a-fA-F]{64}$/;

export interface NodeConfig extends PeerConfig {
  keyFile: string;
  /** Programs of jobs move by themselves; false: only by command. */
  balance: boolean;
  /** Of one CPU, 10000 is standard; undefined: it is measured. */
  speed: number | undefined;
  /** Guests at a time. */
  maxGuests: number;
  /** Guests leave while somebody is logged in. */
  workstation: boolean;
  runDir: string;
  /** The other nodes; an entry for this node itself is left out, so that one list serves all nodes. */
  peers: PeerConfig[];
}

/** The configuration or the key cannot be used. */
export class ConfigError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ConfigError';
  }
}

/** The configuration file to use: as given, else `$MOSIX_CONFIG`, else the default. */
export function configFile(given: string | undefined): string {
  return given ?? (process.env['MOSIX_CONFIG'] || DEFAULT_CONFIG_FILE);
}

/** @throws ConfigError */
export function loadConfig(file: string): NodeConfig {
  return parseConfig(read(file, 'the configuration'), file);
}

/**
 * Reads the cluster's key: 64 hex digits in a file that nobody but its owner may read.
 * @throws ConfigError
 */
export function loadKey(file: string): Uint8Array {
  const text = read(file, 'the cluster key').trim();
  const { mode, uid } = statSync(file);
  const me = process.geteuid?.() ?? 0;
  if ((mode & 0o077) !== 0) {
    const octal = (mode & 0o777).toString(8).padStart(4, '0');
    throw new ConfigError(
      `Cannot use the cluster key ${file}: others may read it (mode ${octal}); run: chmod 600 ${file}`,
    );
  }
  if (uid !== me && uid !== 0)
    throw new ConfigError(`Cannot use the cluster key ${file}: it belongs to user ${uid}, not to user ${me}`);
  if (!KEY_DIGITS.test(text))
    throw new ConfigError(
      `Cannot use the cluster key ${file}: it must be 64 hex digits and nothing else; make one with: openssl rand -hex 32`,
    );
  return Uint8Array.fromHex(text);
}

const port = v.pipe(
  v.number('must be a number'),
  v.integer('must be a whole number'),
  v.minValue(1, 'must be 1 to 65535'),
  v.maxValue(65535, 'must be 1 to 65535'),
);
const name = v.pipe(v.string('must be a text'), v.check(isNodeName, `is no name for a node: ${NODE_NAME_RULE}`));
const address = v.pipe(
  v.string('must be a text'),
  v.check((text) => isIP(text) !== 0, 'must be an IP address such as "10.0.0.1"'),
);
const path = v.pipe(
  v.string('must be a text'),
  v.check((text) => text.startsWith('/'), 'must be an absolute path'),
);

const peerEntries = {
  name,
  address,
  port: v.optional(port, DEFAULT_PORT),
  guest_port: v.optional(port, DEFAULT_GUEST_PORT),
};
const peerSchema = v.strictObject(peerEntries);
const nodeSchema = v.strictObject({
  ...peerEntries,
  key_file: v.optional(path, DEFAULT_KEY_FILE),
  run_dir: v.optional(path, DEFAULT_RUN_DIR),
  balance: v.optional(v.picklist(['on', 'off'], 'must be "on" or "off"'), 'on'),
  speed: v.optional(v.pipe(v.number('must be a number'), v.minValue(1, 'must be at least 1'))),
  max_guests: v.optional(
    v.pipe(v.number('must be a number'), v.integer('must be a whole number'), v.minValue(0, 'must not be negative')),
    MOST_GUESTS,
  ),
  workstation: v.optional(v.boolean('must be true or false'), false),
  peers: v.optional(v.array(peerSchema, 'must be a list: write each peer as [[peers]]'), []),
});

/**
 * @param file Named in messages only.
 * @throws ConfigError
 */
export function parseConfig(text: string, file: string): NodeConfig {
  const result = v.safeParse(nodeSchema, parseToml(text, file));
  if (!result.success)
    throw new ConfigError(`Cannot use the configuration ${file}: ${result.issues.map(describe).join('; ')}`);
  const {
    key_file: keyFile,
    run_dir: runDir,
    peers,
    balance,
    speed,
    max_guests: maxGuests,
    workstation,
    ...own
  } = result.output;
  const config = {
    ...peerOf(own),
    keyFile,
    runDir,
    balance: balance === 'on',
    speed,
    maxGuests,
    workstation,
    peers: peers.filter((peer) => peer.name !== own.name).map(peerOf),
  };
  checkConsistency(config, file);
  return config;
}

function parseToml(text: string, file: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = error.message.split('\n', 1)[0].replace(/^Invalid TOML document: /, '');
    throw new ConfigError(`Cannot read the configuration ${file}, line ${error.line}: ${reason}`, { cause: error });
  }
}

function peerOf(entry: v.InferOutput<typeof peerSchema>): PeerConfig {
  return { name: entry.name, address: entry.address, port: entry.port, guestPort: entry.guest_port };
}

function checkConsistency(config: NodeConfig, file: string): void {
  const seen = new Map<string, string>([[`${config.address} port ${config.port}`, config.name]]);
  const names = new Set<string>();
  for (const peer of config.peers) {
    if (names.has(peer.name))
      throw new ConfigError(`Cannot use the configuration ${file}: there are two peers named "${peer.name}"`);
    names.add(peer.name);
    const place = `${peer.address} port ${peer.port}`;
    const other = seen.get(place);
    if (other !== undefined)
      throw new ConfigError(`Cannot use the configuration ${file}: "${other}" and "${peer.name}" are both at ${place}`);
    seen.set(place, peer.name);
  }
  if (config.port === config.guestPort)
    throw new ConfigError(`Cannot use the configuration ${file}: port and guest_port are both ${config.port}`);
}

function describe(issue: v.BaseIssue<unknown>): string {
  const keys = (issue.path ?? []).map((item) => item.key);
  const place = keys.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : `${text}${text && '.'}${String(key)}`),
    '',
  );
  if (issue.type === 'strict_object' && issue.expected === 'never') {
    const known = Object.keys(keys.length > 1 ? peerSchema.entries : nodeSchema.entries);
    return `there is no key "${place}"${suggestion(String(keys.at(-1)), known)}`;
  }
  if (issue.input === undefined) return `the key "${place}" is missing`;
  return `${place} = ${JSON.stringify(issue.input)} ${issue.type === 'strict_object' ? 'must be a table' : issue.message}`;
}

function read(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError(`Cannot read ${what} ${file}: ${reasonOf(error)}`, { cause: error });
  }
}
