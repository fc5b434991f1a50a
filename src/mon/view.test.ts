import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Picture } from './picture.ts';
import { initialState, type MonitorState } from './state.ts';
import { generatedPicture } from './testing/generated.ts';
import { update } from './update.ts';
import { render } from './view.ts';

const SEED = Number(process.env['SEED'] ?? 7);

interface Options {
  rows?: number;
  columns?: number;
  keys?: readonly string[];
}

function shown(picture: Picture, { rows = 24, columns = 80, keys = [] }: Options = {}): MonitorState {
  const begun = initialState({ rows, columns, unicode: true });
  return pressed(update(begun, { kind: 'picture', picture, at: '10:00:00' }), keys);
}

function pressed(state: MonitorState, keys: readonly string[]): MonitorState {
  return keys.reduce((now, key) => update(now, { kind: 'key', key }), state);
}

const text = (state: MonitorState): string => render(state).toString();

const three: Picture = {
  node: 'home',
  nodes: [
    {
      name: 'home',
      state: 'alive',
      self: true,
      load: 250,
      speed: 20_000,
      cpus: 4,
      freeMemory: 1 << 30,
      totalMemory: 2 ** 32,
    },
    { name: 'n2', state: 'alive', load: 50, speed: 10_000, cpus: 12, guests: 3, utilisation: 12 },
    { name: 'n3', state: 'dead', why: 'it has been silent for 5 s' },
  ],
  processes: [
    {
      pid: 7,
      user: 'joe',
      comm: 'sort\u001b[2J',
      where: 'home',
      home: 'home',
      state: 'home',
      memoryBytes: 1,
      threads: 1,
      moves: 0,
      callsPerSecond: 0,
    },
  ],
};

test('render draws a bar for each node, as high as its figure, and the names below', () => {
  const lines = text(shown(three)).split('\n');
  assert.match(lines[0], /mosmon on home: load/);
  assert.match(lines[1], /2 of 3 nodes {3}16 CPUs {3}load 100 {3}memory 3 GB of 4 GB {3}3 guests/);
  const columns = { home: 9, n2: 23, n3: 37 };
  const heights = Object.values(columns).map(
    (column) => lines.filter((line) => /[▁-█]/.test(line[column] ?? '')).length,
  );
  // 19 rows for 300.
  assert.deepEqual(heights, [16, 4, 0]);
  assert.match(lines.at(-2) ?? '', /^ {9}home {10}n2 {12}n3$/);
  assert.match(lines.at(-3) ?? '', /dead/);
  assert.ok(lines.some((line) => line.includes('250')));
});

test('render follows the keys of figures, yardstick, dead nodes and totals', () => {
  const title = (keys: readonly string[]): string => text(shown(three, { keys })).split('\n')[0];
  const titles = ['s', 'm', 'u', 'g', 'i', 'l'].map((key) => title([key]).replace(/.*: /, '').trim());
  assert.deepEqual(titles, ['speed', 'memory used', 'utilisation', 'guests', 'input and output per second', 'load']);
  const yardstick = text(shown(three, { keys: ['y', ...Array.from('20000'), 'enter'] }));
  assert.match(yardstick, /load at speed 20000/);
  assert.match(yardstick, /\b500\b/); // 250 in terms of a CPU that is twice as fast
  assert.match(text(shown(three, { keys: ['y', ...Array.from('fast'), 'enter'] })), /"fast" is no speed/);
  assert.doesNotMatch(text(shown(three, { keys: ['d'] })), /n3/);
  assert.doesNotMatch(text(shown(three, { keys: ['t'] })), /CPUs/);
});

test('render shows the nodes as a list, what is not known as "-", and why a node is dead', () => {
  const list = text(shown(three, { keys: ['tab'], columns: 100 }));
  assert.match(list, /^home .*█.* 250 +4 +20000 +- +3 GB of 4 GB/m);
  assert.match(list, /^n2 .* 50 +12 +10000 +12 % +- +3 /m);
  assert.match(list, /^n3 +dead: it has been silent for 5 s/m);
});

test('render shows a node, chosen by [ ], and what is there', () => {
  const node = text(shown(three, { keys: [']', 'enter'] }));
  assert.match(node, /node +n2/);
  assert.match(node, /programs that home knows to be there: 0/);
  const state = shown(three, { keys: [']', 'enter', '[', 'escape'] });
  assert.deepEqual([state.view, state.node], ['chart', 'home']);
});

test('render shows moves as they happen, and no control character of a name', () => {
  const before = shown(three, { keys: ['p'] });
  assert.match(text(before), / 7 .* home +.*sort\?\[2J/);
  const processes = three.processes.map((one) => ({ ...one, where: 'n2', state: 'away' }));
  const after = update(before, { kind: 'picture', picture: { ...three, processes }, at: '10:00:01' });
  assert.match(text(after), /^10:00:01 {2}sort\?\[2J \(7\): home → n2$/m);
  // Another process of the same number at another home has not moved here.
  const other = update(before, {
    kind: 'picture',
    picture: { ...three, processes: processes.map((one) => ({ ...one, home: 'n2' })) },
    at: '10:00:01',
  });
  assert.deepEqual(other.moves, []);
});

test('render says that what it shows is old, and why', () => {
  assert.match(text(update(shown(three), { kind: 'lost', why: 'Cannot reach mosd' })), /old: Cannot reach mosd/);
  const nothing = initialState({ rows: 24, columns: 80, unicode: true });
  assert.match(text(update(nothing, { kind: 'lost', why: 'Cannot reach mosd' })), /Cannot reach mosd/);
});

test('render keeps 1000 nodes usable: every one can be reached, found and sorted', () => {
  const picture = generatedPicture(1000, SEED);
  const selectedOn = (state: MonitorState): string => {
    const canvas = render(state);
    const cells = Array.from({ length: canvas.rows * canvas.columns }, (_, at) =>
      canvas.cell(Math.floor(at / canvas.columns), at % canvas.columns),
    ).slice(canvas.columns); // without the title
    return cells.flatMap(({ style, letter }) => (style === 'selected' ? letter : [])).join('');
  };
  let state = shown(picture, { rows: 50, columns: 200, keys: ['tab'] });
  for (let index = 1; index <= 1000; index += 1) {
    if (index % 97 === 0) assert.equal(selectedOn(state), `node${index}`.padEnd(8));
    state = update(state, { kind: 'key', key: 'down' });
  }
  assert.match(text(state), /nodes, load +\d+ to 1000 of 1000/);
  assert.match(text(pressed(state, ['tab', 'tab', 'home'])), /load +1 to 95 of 1000/);
  const found = pressed(state, ['/', 'e', '7', '7', 'enter']);
  assert.equal(text(found).match(/^node77\d? /gm)?.length, 11);
  assert.match(text(pressed(found, ['escape'])), /of 1000/);
  const loads = Array.from(text(pressed(state, ['o'])).matchAll(/^node\d+ .*[▉-▏█] +(\d+) /gm), ([, load]) =>
    Number(load),
  );
  assert.ok(loads.length > 30 && loads[0] >= 290, `${loads.join(' ')} (seed ${SEED})`);
  assert.deepEqual(
    loads,
    loads.toSorted((a, b) => b - a),
  );
});

test('render draws in time: 1000 nodes, each view', () => {
  const picture = generatedPicture(1000, SEED);
  for (const keys of [[], ['tab'], ['tab', 'o'], ['p'], ['enter']]) {
    const state = shown(picture, { rows: 50, columns: 200, keys });
    render(state);
    // CPU time: others may use the machine meanwhile.
    const begin = process.cpuUsage();
    for (let n = 0; n < 10; n += 1) render(state);
    const { user, system } = process.cpuUsage(begin);
    const each = (user + system) / 1000 / 10;
    assert.ok(each < 100, `${keys.join(' ')}: ${each} ms`);
  }
});

test('render draws every view on every size without leaving the screen', () => {
  const picture = generatedPicture(30, SEED);
  const moved = { ...picture, processes: picture.processes.map((one) => ({ ...one, where: 'node3' })) };
  for (const keys of [[], ['tab'], ['p'], ['enter'], ['h'], ['/', 'x'], ['y']]) {
    for (const [rows, columns] of [
      [1, 1],
      [5, 20],
      [8, 30],
      [10, 200],
      [24, 80],
      [60, 33],
      [100, 300],
    ]) {
      const first = shown(picture, { rows, columns, keys: [] });
      const state = pressed(update(first, { kind: 'picture', picture: moved, at: '10:00:01' }), keys);
      const lines = text(state).split('\n');
      assert.equal(lines.length, rows);
      for (const line of lines) assert.ok(line.length <= columns);
    }
  }
});
