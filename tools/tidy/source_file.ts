/**
 * A source file as the style rules see it: its path in the project, text, syntax tree, comments and imports.
 *
 * A rule is a function from one file (or from all of them) to findings; it reads nothing but what stands here, so that a
 * test can hand it a file that exists nowhere.
 */
import path from 'node:path';
import { parseSync, type Comment, type Program } from 'oxc-parser';

export interface Import {
  /** As written: `node:fs`, `valibot`, `./errors.ts`. */
  readonly specifier: string;
  /** Path in the project, if the specifier is relative. */
  readonly target: string | undefined;
  readonly start: number;
}

export interface SourceFile {
  /** Relative to the project's root, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly program: Program;
  readonly comments: readonly Comment[];
  readonly imports: readonly Import[];
}

export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly rule: string;
  /** What is wrong, and after a colon or semicolon the way out. */
  readonly message: string;
}

export type FileRule = (file: SourceFile) => Finding[];
export type ProjectRule = (files: readonly SourceFile[]) => Finding[];

/** @throws SyntaxError if `text` is not TypeScript */
export function parseSource(filePath: string, text: string): SourceFile {
  const { program, comments, module, errors } = parseSync(filePath, text);
  const first = errors[0];
  if (first !== undefined) {
    throw new SyntaxError(`Cannot parse ${filePath}: ${first.message}`);
  }
  const requests = [
    ...module.staticImports.map((one) => one.moduleRequest),
    ...module.staticExports.flatMap((one) => one.entries.map((entry) => entry.moduleRequest)),
    // A dynamic import has no value here, since it may be any expression; a quoted one is as good as a static one.
    ...module.dynamicImports.map((one) => quoted(text, one.moduleRequest)),
  ];
  const imports = requests.flatMap((request) => (request ? [toImport(filePath, request.value, request.start)] : []));
  return { path: filePath, text, program, comments, imports };
}

/** Line number (from 1) of an offset. */
export function lineAt(file: SourceFile, offset: number): number {
  return file.text.slice(0, offset).split('\n').length;
}

export function finding(file: SourceFile, offset: number, rule: string, message: string): Finding {
  return { path: file.path, line: lineAt(file, offset), rule, message };
}

export function isTest(filePath: string): boolean {
  return filePath.endsWith('.test.ts');
}

function toImport(from: string, specifier: string, start: number): Import {
  const target = specifier.startsWith('.') ? path.posix.join(path.posix.dirname(from), specifier) : undefined;
  return { specifier, target, start };
}

function quoted(text: string, at: { start: number; end: number }): { value: string; start: number } | undefined {
  const literal = /^(['"])(.*)\1$/.exec(text.slice(at.start, at.end));
  return literal?.[2] === undefined ? undefined : { value: literal[2], start: at.start };
}
