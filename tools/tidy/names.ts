/** Rules on names: every file and folder is written in snake_case, so that nobody has to remember which one is not. */
import type { Finding } from './source_file.ts';

const wellNamed = /^[a-z0-9]+(_[a-z0-9]+)*(\.test|\.d)?(\.[a-z0-9]+)?$/;

/** @param paths of all files in src/, test/ and tools/, relative to the project's root; documents keep their customary names */
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

function suggestion(filePath: string): string {
  return filePath
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('-', '_')
    .toLowerCase();
}
