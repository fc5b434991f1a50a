/**
 * Runs test files with node:test: `npm run unit [-- [--serial] PATH…]`, where PATH is a file or the beginning of its path.
 *
 * Prints a line for every file as it is done, a failure in full as it happens, `skipped: name: reason` for every test that
 * did not run, and the sums. Exit code 1 if anything failed or nothing was found.
 */
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { run } from 'node:test';
import { inspect } from 'node:util';

const root = path.dirname(import.meta.dirname);
/** Milliseconds for one file. A test sets its own, shorter one; this is for those that forgot. */
const fileDeadline = 120_000;

interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

async function main(argv: readonly string[]): Promise<void> {
  const serial = argv.includes('--serial');
  const prefixes = argv.filter((each) => !each.startsWith('--'));
  const files = globSync('{src,tools,test}/**/*.test.ts', { cwd: root })
    .filter((each) => prefixes.length === 0 || prefixes.some((prefix) => each.startsWith(prefix)))
    .toSorted();
  if (files.length === 0) {
    console.error(`unit: no test file begins with ${prefixes.join(' or ')}`);
    process.exitCode = 1;
    return;
  }
  const tally = await runFiles(files, serial ? 1 : availableParallelism());
  console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`);
  process.exitCode = tally.failed === 0 ? 0 : 1;
}

async function runFiles(files: readonly string[], concurrency: number): Promise<Tally> {
  const tally: Tally = { passed: 0, failed: 0, skipped: 0 };
  let done = 0;
  const events = run({
    cwd: root,
    files: files.map((each) => path.join(root, each)),
    concurrency,
    timeout: fileDeadline,
    execArgv: ['--no-warnings'],
  });
  for await (const { type, data } of events) {
    switch (type) {
      case 'test:pass':
        if (data.details.type === 'suite') {
          break;
        }
        if (data.skip !== undefined && data.skip !== false) {
          tally.skipped++;
          console.log(`skipped: ${data.name}: ${data.skip === true ? 'no reason given' : data.skip}`);
        } else {
          tally.passed++;
        }
        break;
      case 'test:fail':
        // A group of tests fails with any of its tests, which have been told already.
        if (data.details.error.failureType !== 'subtestsFailed') {
          tally.failed++;
          console.log(`FAILED ${relative(data.file)}: ${data.name}\n${explain(data.details.error)}`);
        }
        break;
      case 'test:summary':
        if (data.file !== undefined) {
          const { passed, failed, skipped } = data.counts;
          const counts = [
            `${passed} passed`,
            failed > 0 ? `${failed} FAILED` : '',
            skipped > 0 ? `${skipped} skipped` : '',
          ];
          const seconds = (data.duration_ms / 1000).toFixed(1);
          done++;
          console.log(
            `[${done}/${files.length}] ${relative(data.file)}: ${counts.filter(Boolean).join(', ')} (${seconds} s)`,
          );
        }
        break;
      case 'test:stderr':
        process.stderr.write(data.message);
        break;
      default:
        break;
    }
  }
  return tally;
}

function relative(file: string | undefined): string {
  return file === undefined ? '' : path.relative(root, file);
}

/** node:test wraps what the test threw; the wrapper says nothing more. */
function explain(error: Error): string {
  return inspect(error.cause ?? error).replaceAll(/^/gm, '    ');
}

await main(process.argv.slice(2));
