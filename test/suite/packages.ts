/**
 * Debian packages that a case needs: installed by apt when we are root, saying so; else the case is skipped by name.
 */
import { spawnSync } from 'node:child_process';
import type { Case } from './case.ts';

const aptTimeoutMs = 180_000;

/** Installs what `cases` need, and says of each that cannot run here what it lacks; returns the others. */
export function skipUnrunnable(
  cases: readonly Case[],
  { rootless, skip }: { rootless: boolean; skip: (one: Case, why: string) => void },
): Case[] {
  const absent = new Set(installPackages(cases.flatMap((one) => one.packages)));
  return cases.filter((one) => {
    const packages = one.packages.filter((name) => absent.has(name));
    const lack =
      one.lacks ??
      (packages.length > 0 ? `needs the package ${packages.join(', ')}` : undefined) ??
      (rootless && (one.asRoot || one.rootEngine) ? 'needs root' : undefined);
    if (lack !== undefined) skip(one, lack);
    return lack === undefined;
  });
}

/** Those of `names` that are not installed and could not be. Words go to stderr. */
export function installPackages(names: readonly string[]): string[] {
  const missing = missingPackages(names);
  if (missing.length === 0 || process.getuid?.() !== 0) return missing;
  if (spawnSync('sh', ['-c', 'command -v apt-get'], { stdio: 'ignore' }).status !== 0) return missing;
  process.stderr.write(`Installing ${missing.join(' ')} with apt-get …\n`);
  if (!install(missing)) {
    apt(['update']);
    // One by one, so that a package that does not exist here takes none of the others with it.
    for (const name of missing) install([name]);
  }
  return missingPackages(names);
}

function missingPackages(names: readonly string[]): string[] {
  return [...new Set(names)].filter((name) => {
    const query = spawnSync('dpkg-query', ['-W', '-f', '${Status}', name], { encoding: 'utf8' });
    return !(query.stdout ?? '').startsWith('install ok installed');
  });
}

function install(names: readonly string[]): boolean {
  return apt(['install', '-y', '-q', '--no-install-recommends', ...names]);
}

function apt(argv: readonly string[]): boolean {
  const run = spawnSync('apt-get', argv, {
    stdio: 'ignore',
    timeout: aptTimeoutMs,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  return run.status === 0;
}
