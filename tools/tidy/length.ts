/**
 * Rules on length: a file holds one idea and a function fits on a screen.
 *
 * The limits are those that the code bases we learn from keep in all but their worst files. Tables are exempt, by name.
 */
import { Visitor, type Function as FunctionNode, type ArrowFunctionExpression } from 'oxc-parser';
import { finding, isTest, type FileRule, type Finding, type SourceFile } from './source_file.ts';

/** Lines of a file, comments and all. */
export const fileLimit = 500;
/** Lines of a function, from its first to its last brace. Larger hides branches; smaller scatters one thought. */
export const functionLimit = 70;

/** Files that are one long table, and why. */
const tables: ReadonlySet<string> = new Set([
  'src/sys/syscalls.ts', // every Linux system call
  'src/sys/syscall_numbers.ts', // their numbers
]);

export const fileLength: FileRule = (file) => {
  const lines = file.text.trimEnd().split('\n').length;
  if (lines <= fileLimit || tables.has(file.path)) {
    return [];
  }
  const message = `${lines} lines, ${fileLimit} are allowed: split it by idea (a table is exempt by name, tools/tidy/length.ts)`;
  return [{ path: file.path, line: fileLimit + 1, rule: 'file-length', message }];
};

export const functionLength: FileRule = (file) => {
  if (tables.has(file.path)) {
    return [];
  }
  const findings: Finding[] = [];
  const groups = isTest(file.path) ? testGroups(file) : new Set<number>();
  const check = (node: FunctionNode | ArrowFunctionExpression): void => {
    const found = tooLong(file, node.start, node.end);
    if (found !== undefined && !groups.has(node.start)) {
      findings.push(found);
    }
  };
  new Visitor({
    FunctionDeclaration: check,
    FunctionExpression: check,
    ArrowFunctionExpression: check,
  }).visit(file.program);
  return findings;
};

function tooLong(file: SourceFile, start: number, end: number): Finding | undefined {
  const lines = file.text.slice(start, end).split('\n').length;
  return lines <= functionLimit
    ? undefined
    : finding(file, start, 'function-length', `${lines} lines, ${functionLimit} are allowed: give a part of it a name`);
}

/** Where the functions start that `describe(...)` is called with: they only bracket tests, which are measured themselves. */
function testGroups(file: SourceFile): ReadonlySet<number> {
  const starts = new Set<number>();
  new Visitor({
    CallExpression(node) {
      if (node.callee.type === 'Identifier' && /^(describe|suite)$/.test(node.callee.name)) {
        node.arguments.forEach((each) => starts.add(each.start));
      }
    },
  }).visit(file.program);
  return starts;
}
