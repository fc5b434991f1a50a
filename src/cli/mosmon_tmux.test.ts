/** mosmon in tmux, as over ssh: what tmux shows is what was drawn, letter by letter. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { FakeMosd, generatedRows } from '../../test/system/fake_mosd.ts';
import { until } from '../../test/system/fake_node.ts';
import type { Picture } from '../mon/picture.ts';
import { initialState } from '../mon/state.ts';
import { update } from '../mon/update.ts';
import { render } from '../mon/view.ts';
import { pictureOf } from './mosmon_source.ts';
import { userNames } from './user_names.ts';

const skip = spawnSync('tmux', ['-V']).error === undefined ? false : 'needs the package tmux';
const timeout = 60_000;
const mosmon = join(import.meta.dirname, '..', '..', 'bin', 'mosmon');
const server = `mosmon-test-${process.pid}`;
let mosd: FakeMosd;
let picture: Picture;

function tmux(...args: readonly string[]): string {
  return execFileSync('tmux', ['-L', server, '-f', '/dev/null', ...args], { encoding: 'utf8' });
}

before(() => {
  mosd = new FakeMosd(generatedRows(300, 11));
  const { nodes, list } = mosd.shown;
  picture = pictureOf(list.node, nodes, list, userNames());
});

after(() => {
  spawnSync('tmux', ['-L', server, 'kill-server']);
  mosd[Symbol.dispose]();
});

interface Look {
  rows: number;
  columns: number;
  /** As the monitor calls them. */
  keys: readonly string[];
}

function expected({ rows, columns, keys }: Look): string {
  let state = update(initialState({ rows, columns, unicode: true }), { kind: 'picture', picture, at: '' });
  for (const key of keys) state = update(state, { kind: 'key', key });
  return render(state).toString().trimEnd();
}

/** Names of keys for tmux, where these differ. */
const TMUX_KEYS: Readonly<Record<string, string>> = {
  tab: 'Tab',
  end: 'End',
  enter: 'Enter',
  escape: 'Escape',
  'page-down': 'PageDown',
};

async function shows(look: Look): Promise<void> {
  const wanted = expected(look);
  const lines = (text: string): string =>
    text
      .split('\n')
      .map((line) => line.trimEnd())
      .join('\n')
      .trimEnd();
  const same = (): boolean => lines(tmux('capture-pane', '-p')) === lines(wanted);
  await until('the screen is as drawn', same).catch(() =>
    assert.equal(lines(tmux('capture-pane', '-p')), lines(wanted)),
  );
}

for (const [columns, rows] of [
  [80, 24],
  [200, 50],
])
  test(
    `mosmon in tmux shows 300 nodes on ${columns} × ${rows}, and follows keys and size`,
    { skip, timeout },
    async () => {
      const environment = `MOSIX_RUN=${mosd.runDir} LC_ALL=C.UTF-8`;
      tmux('new-session', '-d', '-x', String(columns), '-y', String(rows), `${environment} ${mosmon}`);
      const keys: string[] = [];
      await shows({ rows, columns, keys });
      for (const key of ['m', 'tab', 'o', 'page-down', 'end', 'tab', 'u', 'enter', 'escape', 'h']) {
        tmux('send-keys', TMUX_KEYS[key] ?? key);
        keys.push(key);
        await shows({ rows, columns, keys });
      }
      tmux('resize-window', '-x', '60', '-y', '18');
      await shows({ rows: 18, columns: 60, keys });
      tmux('send-keys', 'Escape');
      await shows({ rows: 18, columns: 60, keys: [...keys, 'escape'] });
      tmux('send-keys', 'q');
      await until('it has ended', () => spawnSync('tmux', ['-L', server, 'has-session']).status !== 0);
    },
  );
