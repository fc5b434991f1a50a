/** docs/json: the JSON Schema (draft 2020-12) of what each command prints with `--json`. `npm run man` writes it anew. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { toJsonSchema } from '@valibot/to-json-schema';
import { JSON_OUTPUTS } from '../src/cli/json/outputs.ts';

const folder = path.join(path.dirname(import.meta.dirname), 'docs', 'json');

/** Names of files in docs/json with their contents. */
export function schemaFiles(): Map<string, string> {
  const files = JSON_OUTPUTS.map(({ name, printed, schema }): [string, string] => {
    const title = printed.join('; ');
    const { $schema, ...rest } = toJsonSchema(schema, { target: 'draft-2020-12' });
    return [`${name}.json`, `${JSON.stringify({ $schema, title, ...rest }, withoutClosing, 2)}\n`];
  });
  const rows = JSON_OUTPUTS.map(
    ({ name, printed }) => `| ${printed.map((line) => `\`${line}\``).join(', ')} | [${name}.json](${name}.json) |`,
  );
  return new Map([...files, ['README.md', [...INTRODUCTION, ...rows, ''].join('\n')]]);
}

/** Our tests hold the commands to these fields and no others; who reads them is to take more. */
function withoutClosing(key: string, value: unknown): unknown {
  return key === 'additionalProperties' ? undefined : value;
}

const INTRODUCTION = [
  '# What the commands print with --json',
  '',
  'One JSON value a line, on standard output; messages go to standard error, and the exit code says the same as without',
  '`--json`. The forms are JSON Schemas (draft 2020-12). Fields may be added; none changes its meaning. Times are milliseconds,',
  'sizes bytes, unless the field says otherwise; a field that is not required is absent where there is nothing to say.',
  '',
  'These files are made from `src/cli/json` by `npm run man`; tests hold the commands to them.',
  '',
  '| command | form |',
  '|---|---|',
];

export function writeSchemas(): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [file, content] of schemaFiles()) writeFileSync(path.join(folder, file), content);
}
