/**
 * Constructs that this code base does without, each with what takes its place.
 *
 * Some (enums, parameter properties) the runtime could not even strip; the compiler reports those too, but says less.
 */
import { Visitor, type Node, type TSType } from 'oxc-parser';
import { finding, isTest, lineAt, type FileRule, type Finding, type SourceFile } from './source_file.ts';

/** Where bytes become types: a cast is the job there. Tests and tools may cast as they need. */
const castsAllowed = ['src/sys/', 'src/wire/', 'test/', 'tools/'];
/** The word that vouches for one cast elsewhere: `// cast: why this holds`, on its line or the line before. */
const castReason = /\/\/ cast: \S/;

export const bannedConstructs: FileRule = (file) => {
  const findings: Finding[] = [];
  const ban = (rule: string, message: string) => (node: Node) => {
    findings.push(finding(file, node.start, rule, message));
  };
  new Visitor({
    ExportDefaultDeclaration: ban(
      'default-export',
      'default export: export it by name, so that it is called the same everywhere',
    ),
    TSEnumDeclaration: ban('enum', 'enum: use a union of string literals, or a const object'),
    TSModuleDeclaration: file.path.endsWith('.d.ts')
      ? ignore
      : ban('namespace', 'namespace: a file is a module already'),
    TSParameterProperty: ban('parameter-property', 'parameter property: declare the field and assign it'),
    TSAnyKeyword: ban('any', 'any: say unknown and look at it, or say what it is'),
    TSTypeAssertion: ban('cast', 'cast in angle brackets: write it with as, where casts are allowed'),
  }).visit(file.program);
  return findings;
};

export const casts: FileRule = (file) => {
  if (isTest(file.path) || castsAllowed.some((folder) => file.path.startsWith(folder))) {
    return [];
  }
  const findings: Finding[] = [];
  const lines = file.text.split('\n');
  new Visitor({
    TSAsExpression(node) {
      // Where a long expression is cast, the word `as` stands lines below its start.
      const line = lineAt(file, node.typeAnnotation.start);
      const around = [lines[line - 2], lines[line - 1]];
      if (!isConst(node.typeAnnotation) && !around.some((text) => text !== undefined && castReason.test(text))) {
        const message =
          'cast outside src/sys and src/wire: narrow it by a check, or say "// cast: why this holds" above it';
        findings.push({ path: file.path, line, rule: 'cast', message });
      }
    },
  }).visit(file.program);
  return findings;
};

/** A test waits for what it wants to see; a sleep is too short on a slow machine and too long on all others. */
export const sleepsInTests: FileRule = (file) => {
  if (!isTest(file.path)) {
    return [];
  }
  const message = 'sleep in a test: wait for the condition you want to see, with a deadline';
  const findings: Finding[] = [];
  const timers = namesFromTimersPromises(file);
  new Visitor({
    CallExpression(node) {
      const name = node.callee.type === 'Identifier' ? node.callee.name : '';
      if (timers.has(name) || name === 'sleep' || name === 'delay') {
        findings.push(finding(file, node.start, 'sleep', message));
      }
    },
    NewExpression(node) {
      const text = file.text.slice(node.start, node.end);
      if (/^new Promise(<\w+>)?\(\s*\(?(\w+)\)?\s*=>\s*\{?\s*(void )?setTimeout\(\s*\2\s*,/.test(text)) {
        findings.push(finding(file, node.start, 'sleep', message));
      }
    },
  }).visit(file.program);
  return findings;
};

function ignore(): void {}

function isConst(type: TSType): boolean {
  return type.type === 'TSTypeReference' && type.typeName.type === 'Identifier' && type.typeName.name === 'const';
}

/** The local names of `setTimeout` as imported from `node:timers/promises`. */
function namesFromTimersPromises(file: SourceFile): ReadonlySet<string> {
  const names = new Set<string>();
  new Visitor({
    ImportDeclaration(node) {
      for (const one of node.source.value === 'node:timers/promises' ? node.specifiers : []) {
        names.add(one.local.name);
      }
    },
  }).visit(file.program);
  return names;
}
