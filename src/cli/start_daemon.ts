/** Starts and ends the daemons of this node, for the commands that do so. */
import { spawnSync } from 'node:child_process';

import { EXIT } from '../lib/exit_codes.ts';
import { launcherOf } from './launcher.ts';
import { status } from './mosix_status.ts';

/** Starts mosd and says how the node fares. @returns exit code */
export async function startDaemon(file: string): Promise<number> {
  const code = mosd(['--config', file]);
  if (code !== EXIT.done) return code;
  await status([]);
  return EXIT.done;
}

/** Brings everything home and ends mosd and the engine. @returns exit code */
export function stopDaemon(file: string): number {
  return mosd(['--stop', '--config', file]);
}

/** Runs it as it is, with its own messages. @returns its exit code */
function mosd(args: readonly string[]): number {
  const { status: code, error } = spawnSync(launcherOf('mosd'), args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (error !== undefined) throw error;
  return code ?? EXIT.failed;
}
