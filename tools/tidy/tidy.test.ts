import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commentedOutCode, fileHeader, silencedChecks } from './comments.ts';
import { bannedConstructs, casts, sleepsInTests } from './constructs.ts';
import { ambientEffects, ffiInSysOnly, fastStart, importCycles, importEndings, layerImports } from './layers.ts';
import { fileLength, fileLimit, functionLength, functionLimit } from './length.ts';
import { fileNames, lockFile } from './names.ts';
import { parseSource, type FileRule } from './source_file.ts';

/** `line rule` of each finding of a rule in a file that is only text here. */
function found(rule: FileRule, filePath: string, text: string): string[] {
  return rule(parseSource(filePath, text)).map((each) => `${each.line} ${each.rule}`);
}

const lines = (count: number): string => 'f();\n'.repeat(count);

test('layerImports refuses an import of a higher layer and accepts one of a lower', () => {
  const text = `import { a } from '../lib/a.ts';\nimport type { B } from '../engine/b.ts';\nimport fs from 'node:fs';\n`;
  assert.deepEqual(found(layerImports, 'src/sys/x.ts', text), ['2 layer']);
  assert.deepEqual(found(layerImports, 'src/engine/x.ts', text), []);
});

test('layerImports refuses the engine in mosd and in commands when either imports it', () => {
  const text = `export { a } from '../engine/a.ts';\n`;
  assert.deepEqual(found(layerImports, 'src/node/x.ts', text), ['1 layer']);
  assert.deepEqual(found(layerImports, 'src/cli/x.ts', text), ['1 layer']);
});

test('layerImports and ambientEffects keep node, clock and chance out of a pure layer, and not out of others', () => {
  const text = "/** Not Date.now() but: */\nimport 'node:fs';\nconst x = Math.random() + Date.now();\n";
  assert.deepEqual(found(layerImports, 'src/gossip/x.ts', text), ['2 layer']);
  assert.deepEqual(found(ambientEffects, 'src/gossip/x.ts', text), ['3 ambient', '3 ambient']);
  assert.deepEqual(found(layerImports, 'src/node/x.ts', text), []);
  assert.deepEqual(found(ambientEffects, 'src/node/x.ts', text), []);
});

test('layerImports keeps the two sides of the engine apart', () => {
  const text = `import { a } from '../host/a.ts';\nimport { b } from '../image/b.ts';\n`;
  assert.deepEqual(found(layerImports, 'src/engine/home/x.ts', text), ['1 layer']);
  assert.deepEqual(found(layerImports, 'src/engine/image/x.ts', text), ['1 layer']);
});

test('layerImports sees dynamic imports', () => {
  assert.deepEqual(found(layerImports, 'src/lib/x.ts', `\nconst a = await import('../sys/a.ts');`), ['2 layer']);
});

test('layerImports refuses packages outside their layer, tests as helpers, and unknown layers', () => {
  assert.deepEqual(found(layerImports, 'src/sys/x.ts', `import 'valibot';`), ['1 layer']);
  assert.deepEqual(found(layerImports, 'src/node/x.ts', `import 'valibot';`), []);
  assert.deepEqual(found(layerImports, 'src/lib/x.ts', `import '../../test/bed/host.ts';`), ['1 layer']);
  assert.deepEqual(found(layerImports, 'src/misc/x.ts', ``), ['1 layer']);
});

test('layerImports leaves a test beside its source alone', () => {
  assert.deepEqual(found(layerImports, 'src/lib/x.test.ts', `import 'fast-check'; import '../engine/a.ts';`), []);
});

test('ffiInSysOnly finds node:ffi everywhere but in src/sys', () => {
  assert.deepEqual(found(ffiInSysOnly, 'src/engine/x.ts', `import ffi from 'node:ffi';`), ['1 ffi']);
  assert.deepEqual(found(ffiInSysOnly, 'src/sys/x.ts', `import ffi from 'node:ffi';`), []);
});

test('importEndings finds a relative import without an ending', () => {
  assert.deepEqual(found(importEndings, 'src/lib/x.ts', `import './a';\nimport './b.ts';`), ['1 ending']);
});

test('importCycles finds a circle of three files and names it, and accepts a diamond', () => {
  const circle = ['b', 'c', 'a'].map((next, at) => parseSource(`src/lib/${'abc'[at]}.ts`, `import './${next}.ts';`));
  const [only, ...more] = importCycles(circle);
  assert.equal(more.length, 0);
  assert.match(only?.message ?? '', /a\.ts → .*b\.ts → .*c\.ts → .*a\.ts:/);

  const diamond = { a: `import './b.ts'; import './c.ts';`, b: `import './d.ts';`, c: `import './d.ts';`, d: '' };
  assert.deepEqual(
    importCycles(Object.entries(diamond).map(([name, text]) => parseSource(`src/lib/${name}.ts`, text))),
    [],
  );
});

test('fastStart finds a slow module two imports away from mosrun', () => {
  const files = [
    parseSource('src/cli/mosrun.ts', `import '../lib/a.ts';`),
    parseSource('src/lib/a.ts', `import './b.ts';`),
    parseSource('src/lib/b.ts', `import 'node:http';`),
    parseSource('src/lib/c.ts', `import 'node:http';`),
  ];
  assert.deepEqual(
    fastStart(files).map((each) => each.path),
    ['src/lib/b.ts'],
  );
});

test('fileLength accepts the limit, refuses one line more, and exempts a table', () => {
  assert.deepEqual(found(fileLength, 'src/lib/x.ts', lines(fileLimit)), []);
  assert.deepEqual(found(fileLength, 'src/lib/x.ts', lines(fileLimit + 1)), [`${fileLimit + 1} file-length`]);
  assert.deepEqual(found(fileLength, 'src/sys/syscalls.ts', lines(fileLimit + 1)), []);
});

test('functionLength measures functions, methods and arrow functions, and not what only brackets tests', () => {
  const long = `{\n${lines(functionLimit - 1)}}`;
  const short = `{\n${lines(functionLimit - 2)}}`;
  assert.deepEqual(found(functionLength, 'src/lib/x.ts', `function f() ${short}`), []);
  assert.deepEqual(found(functionLength, 'src/lib/x.ts', `function f() ${long}`), ['1 function-length']);
  assert.deepEqual(found(functionLength, 'src/lib/x.ts', `class A { f() ${long} }`), ['1 function-length']);
  assert.deepEqual(found(functionLength, 'src/lib/x.ts', `const f = () => ${long};`), ['1 function-length']);
  assert.deepEqual(found(functionLength, 'src/lib/x.test.ts', `describe('all', () => ${long});`), []);
  assert.deepEqual(
    found(functionLength, 'src/lib/x.test.ts', `describe('all', { skip, timeout: 1 }, async () => ${long});`),
    [],
  );
  assert.deepEqual(found(functionLength, 'src/lib/x.test.ts', `test('one', () => ${long});`), ['1 function-length']);
});

test('bannedConstructs finds each of them where it stands', () => {
  const text = [
    'export default class A {',
    '  constructor(private a: number) {}',
    '}',
    'enum E { a }',
    'let x: any;',
    'namespace N { export const a = 1; }',
    'const z = <number>x;',
  ].join('\n');
  assert.deepEqual(found(bannedConstructs, 'src/lib/x.ts', text), [
    '1 default-export',
    '2 parameter-property',
    '4 enum',
    '5 any',
    '6 namespace',
    '7 cast',
  ]);
});

test('casts asks for a reason outside sys and wire, and accepts `as const`', () => {
  const text = 'const a = [1] as const;\nconst b = f() as Pid;\n';
  assert.deepEqual(found(casts, 'src/engine/x.ts', text), ['2 cast']);
  assert.deepEqual(found(casts, 'src/sys/x.ts', text), []);
  assert.deepEqual(found(casts, 'src/engine/x.test.ts', text), []);
  assert.deepEqual(found(casts, 'src/engine/x.ts', '// cast: checked above\nconst b = f() as Pid;\n'), []);
  assert.deepEqual(found(casts, 'src/engine/x.ts', '// cast:\nconst b = f() as Pid;\n'), ['2 cast']);
});

test('sleepsInTests finds the three ways to sleep, and leaves deadlines and sources alone', () => {
  const text = [
    `import { setTimeout as wait } from 'node:timers/promises';`,
    'await wait(100);',
    'await new Promise((resolve) => setTimeout(resolve, 100));',
    'await sleep(100);',
    `const deadline = setTimeout(() => fail('too late'), 1000);`,
    'await waitUntil(() => seen, 1000);',
  ].join('\n');
  assert.deepEqual(found(sleepsInTests, 'src/lib/x.test.ts', text).toSorted(), ['2 sleep', '3 sleep', '4 sleep']);
  assert.deepEqual(found(sleepsInTests, 'src/lib/x.ts', text), []);
});

test('fileHeader asks for a comment at the top, after a hashbang too', () => {
  assert.deepEqual(found(fileHeader, 'src/lib/x.ts', 'const a = 1;'), ['1 header']);
  assert.deepEqual(found(fileHeader, 'src/lib/x.ts', '#!/usr/bin/env node\n/** What it is. */\nconst a = 1;'), []);
  assert.deepEqual(found(fileHeader, 'src/lib/x.test.ts', 'const a = 1;'), []);
});

test('commentedOutCode finds code in comments', () => {
  for (const code of [
    '// const a = 1;',
    '// if (a) {\n//   f(a);\n// }',
    '/* f(a, b); */',
    '// a.b = c;',
    '// return;\n',
  ]) {
    assert.deepEqual(found(commentedOutCode, 'src/lib/x.ts', `g();\n${code}\n`), ['2 dead-code'], code);
  }
});

test('commentedOutCode leaves prose and examples in doc comments alone', () => {
  for (const prose of [
    '// The kernel clears it on exec;\n// so it is set again.',
    '// See send(2)',
    '// abort;',
    '// {state, result}',
    '/**\n * ```ts\n * const a = f();\n * ```\n */',
    '// A pid that is gone (ESRCH)',
  ]) {
    assert.deepEqual(found(commentedOutCode, 'src/lib/x.ts', `g();\n${prose}\n`), [], prose);
  }
});

test('silencedChecks asks for a reason', () => {
  assert.deepEqual(found(silencedChecks, 'src/lib/x.ts', '// @ts-ignore'), ['1 silenced']);
  assert.deepEqual(found(silencedChecks, 'src/lib/x.ts', '// oxlint-disable-next-line no-eval'), ['1 silenced']);
  assert.deepEqual(
    found(silencedChecks, 'src/lib/x.ts', '// oxlint-disable-next-line no-eval -- it is the job here'),
    [],
  );
});

test('fileNames accepts snake_case and suggests it otherwise', () => {
  assert.deepEqual(
    fileNames(['src/lib/wait_until.test.ts', 'src/sys/x64/gate.ts', 'test/README.md', 'test/a.d.ts']),
    [],
  );
  assert.match(fileNames(['src/lib/waitUntil.ts'])[0]?.message ?? '', /src\/lib\/wait_until\.ts$/);
  assert.match(fileNames(['src/my-layer/a.ts'])[0]?.message ?? '', /src\/my_layer\/a\.ts$/);
});

test('lockFile finds a download address and accepts a local package', () => {
  const [first, ...more] = lockFile('{\n  "resolved": "https://example.org/a.tgz",\n  "resolved": "packages/a"\n}');
  assert.equal(first?.line, 2);
  assert.equal(more.length, 0);
});

test('parseSource says which file it cannot parse', () => {
  assert.throws(() => parseSource('src/lib/x.ts', 'const = 1;'), /Cannot parse src\/lib\/x\.ts/);
});
