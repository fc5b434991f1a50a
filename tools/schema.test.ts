import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ALL } from '../src/cli/commands/table.ts';
import { JSON_OUTPUTS } from '../src/cli/json/outputs.ts';
import { schemaFiles } from './schema.ts';

const folder = path.join(import.meta.dirname, '..', 'docs', 'json');

test('docs/json is what the schemas say; `npm run man` writes it anew', () => {
  const files = schemaFiles();
  assert.deepEqual(readdirSync(folder).toSorted(), [...files.keys()].toSorted());
  for (const [file, content] of files) assert.equal(readFileSync(path.join(folder, file), 'utf8'), content, file);
});

test('each command with --json has its form described', () => {
  const described = JSON_OUTPUTS.flatMap(({ printed }) => printed);
  for (const { name, options, sameAs } of ALL)
    if ('json' in options && sameAs === undefined)
      assert.ok(
        described.some((line) => line.startsWith(`${name} `)),
        `${name} --json is in no schema of src/cli/json`,
      );
});
