/**
 * The configuration of a node: a TOML file that mosd and the engine read. What the whole cluster agrees on is not in it
 * (wire/identity/charter.ts).
 *
 * Promise: whatever is wrong is said with the file, the key and what would be right; nothing unknown is ignored,
 * because a mistyped key that silently does nothing costs an afternoon.
 */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { parse, TomlError } from 'smol-toml';
import * as v from 'valibot';

import { reasonOf } from './errors.ts';
import { isNodeName, NODE_NAME_RULE } from './node_name.ts';
import { placesOf, usualConfigFile } from './own_places.ts';
import { PORTS, type PeerConfig } from './places.ts';
import { suggestion } from './suggest.ts';

/** In gossip this stands for no limit. */
const MOST_GUESTS = 65_535;

export interface NodeConfig extends PeerConfig {
  /** Programs of jobs move by themselves; false: only by command. */
  balance: boolean;
  /** Of one CPU, 10000 is standard; undefined: it is measured. */
  speed: number | undefined;
  /** Guests at a time. */
  maxGuests: number;
  /** Guests leave while somebody is logged in. */
  workstation: boolean;
  /** How users share the CPUs that they want at the same time, by user id; who is not in it has 1. */
  userWeights: ReadonlyMap<number, number>;
  /** Sockets and journals. */
  runDir: string;
  /** This node's identity: see wire/identity/identity_store.ts. */
  stateDir: string;
}

/** The configuration cannot be used. */
export class ConfigError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ConfigError';
  }
}

/** The configuration file to use: as given, else `$MOSIX_CONFIG`, else the default. */
export function configFile(given: string | undefined): string {
  return given ?? (process.env['MOSIX_CONFIG'] || usualConfigFile());
}

/** @throws ConfigError */
export function loadConfig(file: string): NodeConfig {
  return parseConfig(read(file, 'the configuration'), file);
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

const nodeSchema = v.strictObject({
  name,
  address,
  port: v.optional(port, PORTS.control),
  guest_port: v.optional(port, PORTS.guest),
  run_dir: v.optional(path),
  state_dir: v.optional(path),
  balance: v.optional(v.picklist(['on', 'off'], 'must be "on" or "off"'), 'on'),
  speed: v.optional(v.pipe(v.number('must be a number'), v.minValue(1, 'must be at least 1'))),
  max_guests: v.optional(
    v.pipe(v.number('must be a number'), v.integer('must be a whole number'), v.minValue(0, 'must not be negative')),
    MOST_GUESTS,
  ),
  workstation: v.optional(v.boolean('must be true or false'), false),
  user_weights: v.optional(
    v.record(
      v.pipe(v.string(), v.regex(/^\d+$/, 'must be a user id')),
      v.pipe(
        v.number('must be a number'),
        v.minValue(0.01, 'must be at least 0.01'),
        v.maxValue(100, 'must be at most 100'),
      ),
    ),
    {},
  ),
});

/**
 * @param file named in messages; which one it is says where the node's files are if it does not
 * @throws ConfigError
 */
export function parseConfig(text: string, file: string): NodeConfig {
  const result = v.safeParse(nodeSchema, parseToml(text, file));
  if (!result.success)
    throw new ConfigError(`Cannot use the configuration ${file}: ${result.issues.map(describe).join('; ')}`);
  const {
    port: control,
    guest_port: guestPort,
    run_dir: runDir,
    state_dir: stateDir,
    max_guests: maxGuests,
    user_weights: weights,
    balance,
    ...rest
  } = result.output;
  if (control === guestPort)
    throw new ConfigError(`Cannot use the configuration ${file}: port and guest_port are both ${control}`);
  const places = placesOf(file);
  return {
    ...rest,
    port: control,
    guestPort,
    runDir: runDir ?? places.runDir,
    stateDir: stateDir ?? places.stateDir,
    maxGuests,
    speed: rest.speed,
    balance: balance === 'on',
    userWeights: new Map(Object.entries(weights).map(([uid, weight]) => [Number(uid), weight])),
  };
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

function describe(issue: v.BaseIssue<unknown>): string {
  const key = v.getDotPath(issue) ?? '';
  if (issue.type === 'strict_object' && issue.expected === 'never')
    return `there is no key "${key}"${suggestion(key, Object.keys(nodeSchema.entries))}`;
  if (issue.input === undefined) return `the key "${key}" is missing`;
  return `${key} = ${JSON.stringify(issue.input)} ${issue.message}`;
}

function read(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError(`Cannot read ${what} ${file}: ${reasonOf(error)}`, { cause: error });
  }
}
