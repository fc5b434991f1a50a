/**
 * Where a node's files are, unless configured otherwise: root's node serves all users of the machine; an ordinary user
 * may run one for the user's own programs, with files where the XDG Base Directory Specification puts them.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { DEFAULT_CONFIG_FILE, DEFAULT_RUN_DIR, DEFAULT_STATE_DIR } from './places.ts';

export interface NodePlaces {
  configFile: string;
  stateDir: string;
  runDir: string;
}

const OF_THE_MACHINE: NodePlaces = {
  configFile: DEFAULT_CONFIG_FILE,
  stateDir: DEFAULT_STATE_DIR,
  runDir: DEFAULT_RUN_DIR,
};

/** The files of a node that whoever calls would start. */
export function ownPlaces(env: NodeJS.ProcessEnv = process.env, uid = process.geteuid?.() ?? 0): NodePlaces {
  if (uid === 0) return OF_THE_MACHINE;
  const home = env['HOME'] || '/';
  const stateDir = join(env['XDG_STATE_HOME'] || join(home, '.local', 'state'), 'mosix');
  const runtime = env['XDG_RUNTIME_DIR'];
  return {
    configFile: join(env['XDG_CONFIG_HOME'] || join(home, '.config'), 'mosix', 'mosix.toml'),
    stateDir,
    runDir: runtime ? join(runtime, 'mosix') : join(stateDir, 'run'),
  };
}

/** What a configuration leaves out: the machine's has the machine's places. */
export function placesOf(configFile: string): NodePlaces {
  return configFile === DEFAULT_CONFIG_FILE ? OF_THE_MACHINE : ownPlaces();
}

/** The configuration that is meant where none is named: one's own, else the machine's if there is one. */
export function usualConfigFile(): string {
  const { configFile } = ownPlaces();
  return !existsSync(configFile) && existsSync(DEFAULT_CONFIG_FILE) ? DEFAULT_CONFIG_FILE : configFile;
}

/** The run directory of the node that commands talk to: `$MOSIX_RUN`, else one's own node's if it runs, else the machine's. */
export function runDirectory(): string {
  const given = process.env['MOSIX_RUN'];
  if (given) return given;
  const { runDir } = ownPlaces();
  return existsSync(join(runDir, 'mosd.sock')) ? runDir : DEFAULT_RUN_DIR;
}
