/** Rules on what is no source text: names of files, and the lock file. */
import type { Finding } from './source_file.ts';

const wellNamed = /^[a-z0-9]+(_[a-z0-9]+)*(\.test|\.d)?(\.[a-z0-9]+)?$/;

/**
 * Every file and folder is written in snake_case, so that nobody has to remember which one is not.
 *
 * @param paths of all files in src/, test/ and tools/, relative to the project's root; documents keep their customary names
 */
export function fileNames(paths: readonly string[]): Finding[] {
  return paths
    .filter((each) => !each.endsWith('.md') && each.split('/').some((part) => !wellNamed.test(part)))
    .map((each) => ({
      path: each,
      line: 1,
      rule: 'name',
      message: `not in snake_case: rename it to ${suggestion(each)}`,
    }));
}

/** The lock file names versions and checksums, and leaves it to everybody's own npm where to load them from. */
export function lockFile(text: string): Finding[] {
  return text.split('\n').flatMap((line, index) =>
    /^\s*"resolved": "https?:/.test(line)
      ? [
          {
            path: 'package-lock.json',
            line: index + 1,
            rule: 'lock-file',
            message: 'a download address: delete package-lock.json and node_modules, then npm install (see .npmrc)',
          },
        ]
      : [],
  );
}

function suggestion(filePath: string): string {
  return filePath
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('-', '_')
    .toLowerCase();
}
