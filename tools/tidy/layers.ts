/**
 * Rules on imports: layers depend on each other one way, files never in a circle, and what must start fast stays small.
 *
 * ARCHITECTURE.md draws the same graph. A test beside a source file may import anything.
 */
import {
  finding,
  isTest,
  type FileRule,
  type Finding,
  type Import,
  type ProjectRule,
  type SourceFile,
} from './source_file.ts';

interface Layer {
  /** Other layers it may import. */
  readonly layers: readonly string[];
  /** Packages it may import. */
  readonly packages: readonly string[];
  /** It has no clock, network or randomness of its own: nothing of node:*. */
  readonly pure?: boolean;
}

/** A folder of src/ each, or a folder in one. A new layer is a new row, and a paragraph in ARCHITECTURE.md. */
export const layers: Readonly<Record<string, Layer>> = {
  lib: { layers: [], packages: ['smol-toml', 'valibot'] },
  wire: { layers: ['lib'], packages: [] },
  'wire/identity': { layers: ['lib', 'wire'], packages: ['valibot', 'pkijs', 'asn1js'] },
  // Policy: a pure function of what is handed in, so that the simulator runs the same code.
  gossip: { layers: ['lib'], packages: [], pure: true },
  load: { layers: ['lib', 'gossip'], packages: [], pure: true },
  balance: { layers: ['lib', 'gossip', 'load'], packages: [], pure: true },
  sim: { layers: ['lib', 'gossip', 'load', 'balance'], packages: [] },
  // What the monitor shows, for any screen and any source of data.
  mon: { layers: ['lib', 'gossip'], packages: [], pure: true },
  sys: { layers: ['lib'], packages: [] },
  'engine/link': { layers: ['lib', 'wire', 'sys'], packages: [] },
  'engine/task': { layers: ['lib', 'wire', 'sys', 'engine/link'], packages: [] },
  'engine/image': { layers: ['lib', 'wire', 'sys', 'engine/link', 'engine/task'], packages: [] },
  // The two sides of a migration know each other by what they send only.
  'engine/home': { layers: ['lib', 'wire', 'sys', 'engine/link', 'engine/task', 'engine/image'], packages: [] },
  'engine/host': { layers: ['lib', 'wire', 'sys', 'engine/link', 'engine/task', 'engine/image'], packages: [] },
  engine: {
    layers: [
      'lib',
      'wire',
      'wire/identity',
      'sys',
      'engine/link',
      'engine/task',
      'engine/image',
      'engine/home',
      'engine/host',
    ],
    packages: [],
  },
  // `node` and `cli` reach the engine through its control socket only: it is another process, and may be an older one.
  node: {
    layers: ['lib', 'wire', 'wire/identity', 'sys', 'gossip', 'load', 'balance'],
    packages: ['smol-toml', 'valibot'],
  },
  // The forms of what commands print: for documentation and tests; no command loads them.
  'cli/json': { layers: ['lib', 'wire'], packages: ['valibot'] },
  cli: { layers: ['lib', 'wire', 'wire/identity', 'sys', 'gossip', 'balance', 'mon'], packages: [] },
};

/** Modules that cost milliseconds to load, kept away from a command that stands in front of every program. */
const slowModules = new Set(['node:http', 'node:https', 'node:tls', 'node:sqlite', 'smol-toml', 'valibot']);
const fastEntry = 'src/cli/mosrun.ts';

/** A layer imports only the layers below it, and only the packages it is meant to. */
export const layerImports: FileRule = (file) => {
  const from = layerOf(file.path);
  if (from === undefined || isTest(file.path)) {
    return [];
  }
  const allowed = layers[from];
  if (allowed === undefined) {
    return [
      finding(file, 0, 'layer', `src/${from} is no known layer: add it to tools/tidy/layers.ts and ARCHITECTURE.md`),
    ];
  }
  return file.imports.flatMap((one) => {
    const message = objection(from, allowed, one);
    return message === undefined ? [] : [finding(file, one.start, 'layer', message)];
  });
};

/** What would tie policy to this machine and this moment; the simulator could not replace it. */
const ambient =
  /\b(Date\.now|new Date|performance\.now|Math\.random|setTimeout|setInterval|setImmediate|queueMicrotask|process\.|Buffer\.)/g;

/** A pure layer gets clock, chance and network handed in. */
export const ambientEffects: FileRule = (file) => {
  if (isTest(file.path) || layers[layerOf(file.path) ?? '']?.pure !== true) {
    return [];
  }
  const inComment = (at: number): boolean => file.comments.some(({ start, end }) => start <= at && at < end);
  return [...file.text.matchAll(ambient)]
    .filter(({ index }) => !inComment(index))
    .map(({ index, 0: text }) =>
      finding(file, index, 'ambient', `${text.trim()} in a pure layer: have the caller hand it in as a parameter`),
    );
};

/** Only sys/ talks to the kernel through the foreign function interface, so that another one can replace it. */
export const ffiInSysOnly: FileRule = (file) =>
  file.path.startsWith('src/sys/')
    ? []
    : file.imports
        .filter((one) => one.specifier === 'node:ffi')
        .map((one) =>
          finding(file, one.start, 'ffi', 'node:ffi outside src/sys: add what you need to the Kernel in src/sys'),
        );

/** Node runs the sources as they are, so an import names the file that is there. */
export const importEndings: FileRule = (file) =>
  file.imports
    .filter((one) => one.target !== undefined && !/\.(ts|json)$/.test(one.target))
    .map((one) => finding(file, one.start, 'ending', `'${one.specifier}' has no ending: write it with .ts`));

/** No file imports itself, by whichever way round. */
export const importCycles: ProjectRule = (files) => {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const state = new Map<SourceFile, 'open' | 'closed'>();
  const trail: SourceFile[] = [];
  const findings: Finding[] = [];

  const visit = (file: SourceFile): void => {
    state.set(file, 'open');
    trail.push(file);
    for (const one of file.imports) {
      const next = byPath.get(one.target ?? '');
      if (next !== undefined && state.get(next) === 'open') {
        const circle = [...trail.slice(trail.indexOf(next)), next].map((each) => each.path).join(' → ');
        findings.push(finding(file, one.start, 'cycle', `${circle}: move what both need into a file of its own`));
      } else if (next !== undefined && !state.has(next)) {
        visit(next);
      }
    }
    trail.pop();
    state.set(file, 'closed');
  };

  files.filter((file) => !state.has(file)).forEach(visit);
  return findings;
};

/** mosrun adds a few milliseconds to every program, so nothing slow is ever on its path. */
export const fastStart: ProjectRule = (files) => {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const reached = new Set([fastEntry]);
  const findings: Finding[] = [];
  // A set may grow while it is walked: this is the whole breadth-first search.
  for (const filePath of reached) {
    const file = byPath.get(filePath);
    for (const one of file?.imports ?? []) {
      if (one.target !== undefined) {
        reached.add(one.target);
      } else if (file !== undefined && slowModules.has(one.specifier)) {
        const message = `${one.specifier} would slow down every mosrun: keep it in a file that ${fastEntry} does not reach`;
        findings.push(finding(file, one.start, 'fast-start', message));
      }
    }
  }
  return findings;
};

function layerOf(filePath: string): string | undefined {
  const [, inner, outer] = /^src\/(([^/]+)(?:\/[^/]+)?)\//.exec(filePath) ?? [];
  return inner !== undefined && inner in layers ? inner : outer;
}

function objection(from: string, allowed: Layer, one: Import): string | undefined {
  if (one.target === undefined) {
    if (one.specifier.startsWith('node:') && allowed.pure === true)
      return `${from} is pure and may not import ${one.specifier}: have its caller hand in what it needs`;
    const known = one.specifier.startsWith('node:') || allowed.packages.includes(one.specifier);
    return known ? undefined : `${from} may not import the package ${one.specifier}: see tools/tidy/layers.ts`;
  }
  const to = layerOf(one.target);
  if (to === undefined) {
    return one.target.endsWith('.json')
      ? undefined
      : `${from} imports ${one.target} from outside src/: move it into a layer`;
  }
  if (to === from || allowed.layers.includes(to)) {
    return undefined;
  }
  const below = allowed.layers.join(', ') || 'nothing';
  return `${from} may not import ${to} (only ${below}): move what is shared down, or hand it in as a parameter`;
}
