import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ownPlaces, placesOf } from './own_places.ts';

test("root's node has the machine's places", () => {
  assert.deepEqual(ownPlaces({ HOME: '/root', XDG_RUNTIME_DIR: '/run/user/0' }, 0), {
    configFile: '/etc/mosix/mosix.toml',
    stateDir: '/var/lib/mosix',
    runDir: '/run/mosix',
  });
});

test("a user's node has its files at the user's home, and its sockets where they go with the session", () => {
  assert.deepEqual(ownPlaces({ HOME: '/home/u' }, 1000), {
    configFile: '/home/u/.config/mosix/mosix.toml',
    stateDir: '/home/u/.local/state/mosix',
    runDir: '/home/u/.local/state/mosix/run',
  });
  const env = { HOME: '/home/u', XDG_RUNTIME_DIR: '/run/user/1000', XDG_CONFIG_HOME: '/c', XDG_STATE_HOME: '/s' };
  assert.deepEqual(ownPlaces(env, 1000), {
    configFile: '/c/mosix/mosix.toml',
    stateDir: '/s/mosix',
    runDir: '/run/user/1000/mosix',
  });
});

test("the machine's configuration has the machine's places, whoever reads it", () => {
  assert.equal(placesOf('/etc/mosix/mosix.toml').runDir, '/run/mosix');
});
