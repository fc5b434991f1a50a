/**
 * Writes the manual pages of all commands: `npm run man` (also part of the installation). They are read with
 * `man -l man/mosps.1`. With --json also docs/json, for which the packages for development are needed.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ALL } from '../src/cli/commands/table.ts';
import { manPage } from '../src/cli/man_page.ts';

const root = path.dirname(import.meta.dirname);
const folder = path.join(root, 'man');
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder);
for (const command of ALL) {
  const { file, text } = manPage(command, { version, all: ALL });
  writeFileSync(path.join(folder, file), text);
}

if (process.argv.includes('--json')) {
  const { writeSchemas } = await import('./schema.ts');
  writeSchemas();
}
