/**
 * Builds the commands: one CommonJS bundle each in dist/, because a bundle starts in half the time of its sources.
 *
 * `npm install` runs this (script "prepare"), and so do the scripts that use the commands. An entry whose source does
 * not exist is skipped and named. Exit code 1 if any bundle failed.
 *
 * In a bundle `import.meta.dirname` is dist/ and `import.meta.filename` ends with `.cjs`. `import.meta.url` and top-level
 * await do not exist there: either is a build error and not a surprise at run time.
 */
import { existsSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';

const root = path.dirname(import.meta.dirname);

/** Bundle name (without `.cjs`) and its source. */
const entries: readonly (readonly [name: string, source: string])[] = [
  ['mosrun', 'src/cli/mosrun.ts'],
  ['mosnative', 'src/cli/mosnative.ts'],
  ['mosmigrate', 'src/cli/mosmigrate.ts'],
  ['mosps', 'src/cli/mosps.ts'],
  ['mosbestnode', 'src/cli/mosbestnode.ts'],
  ['mosmon', 'src/cli/mosmon.ts'],
  ['mosctl', 'src/cli/mosctl.ts'],
  ['moskillall', 'src/cli/moskillall.ts'],
  ['mostimeof', 'src/cli/mostimeof.ts'],
  ['mosix', 'src/cli/mosix.ts'],
  ['mosd', 'src/node/mosd.ts'],
  ['engine', 'src/engine/engine.ts'],
  ['engine_worker', 'src/engine/worker.ts'],
  ['engine_doorbells', 'src/engine/doorbell_thread.ts'],
];

async function bundle(name: string, source: string): Promise<void> {
  const target = path.join(root, 'dist', `${name}.cjs`);
  const partial = `${target}.${process.pid}`;
  try {
    await build({
      absWorkingDir: root,
      entryPoints: [source],
      outfile: partial,
      bundle: true,
      format: 'cjs',
      platform: 'node',
      target: 'node26',
      external: ['node:*'],
      define: { 'import.meta.dirname': '__dirname', 'import.meta.filename': '__filename' },
      logOverride: { 'empty-import-meta': 'error' },
      legalComments: 'none',
      logLevel: 'warning',
    });
    // A command that starts while we build sees the old bundle or the new one, never half of one.
    renameSync(partial, target);
  } finally {
    rmSync(partial, { force: true });
  }
}

async function main(): Promise<void> {
  const quiet = process.argv.includes('--quiet');
  const begin = performance.now();
  const missing = entries.filter(([, source]) => !existsSync(path.join(root, source)));
  const present = entries.filter(([, source]) => existsSync(path.join(root, source)));
  const results = await Promise.allSettled(present.map(([name, source]) => bundle(name, source)));
  const failed = present.filter((_, index) => results[index]?.status === 'rejected');
  for (const [name, source] of missing) {
    console.log(`build: skipped ${name}: ${source} does not exist`);
  }
  if (failed.length > 0) {
    console.error(`build: failed: ${failed.map(([name]) => name).join(', ')}`);
    process.exitCode = 1;
  } else if (!quiet) {
    console.log(`build: ${present.length} bundles in dist/ (${Math.round(performance.now() - begin)} ms)`);
  }
}

await main();
