/**
 * The style rules as a test: `npm run tidy [-- FILE…]` prints every breach as `file:line: [rule] what, and the way out`.
 *
 * What oxlint can say, oxlint says; here stands what is particular to this code base. Exit code 1 if anything was found.
 */
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { commentedOutCode, fileHeader, silencedChecks } from './tidy/comments.ts';
import { bannedConstructs, casts, sleepsInTests } from './tidy/constructs.ts';
import { ambientEffects, ffiInSysOnly, fastStart, importCycles, importEndings, layerImports } from './tidy/layers.ts';
import { fileLength, functionLength } from './tidy/length.ts';
import { fileNames, lockFile } from './tidy/names.ts';
import { parseSource, type FileRule, type Finding, type ProjectRule } from './tidy/source_file.ts';

const root = path.dirname(import.meta.dirname);

const fileRules: readonly FileRule[] = [
  layerImports,
  ambientEffects,
  ffiInSysOnly,
  importEndings,
  fileLength,
  functionLength,
  bannedConstructs,
  casts,
  sleepsInTests,
  fileHeader,
  commentedOutCode,
  silencedChecks,
];
const projectRules: readonly ProjectRule[] = [importCycles, fastStart];

function main(only: readonly string[]): void {
  const paths = globSync('{src,test,tools}/**/*.*', { cwd: root }).toSorted();
  const files = paths
    .filter((each) => each.endsWith('.ts'))
    .map((each) => parseSource(each, readFileSync(path.join(root, each), 'utf8')));
  const findings = [
    ...fileNames(paths),
    ...lockFile(readFileSync(path.join(root, 'package-lock.json'), 'utf8')),
    ...files.flatMap((file) => fileRules.flatMap((rule) => rule(file))),
    ...projectRules.flatMap((rule) => rule(files)),
  ].filter((each) => only.length === 0 || only.some((prefix) => each.path.startsWith(prefix)));
  report(findings, files.length);
}

function report(findings: readonly Finding[], fileCount: number): void {
  for (const { path: filePath, line, rule, message } of findings) {
    console.log(`${filePath}:${line}: [${rule}] ${message}`);
  }
  console.log(`tidy: ${fileCount} files, ${findings.length === 0 ? 'nothing to mend' : `${findings.length} to mend`}`);
  process.exitCode = findings.length === 0 ? 0 : 1;
}

main(process.argv.slice(2));
