/** Where the other commands of this installation are, whether this file is a source or part of a bundle. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** @throws Error in an installation without bin/ */
export function launcherOf(command: string): string {
  for (let folder = import.meta.dirname; folder !== '/'; folder = dirname(folder)) {
    const candidate = join(folder, 'bin', command);
    if (existsSync(candidate)) return candidate;
  }
  throw new Error(`Cannot find ${command}: there is no bin/${command} above ${import.meta.dirname}`);
}
