import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ConfigError, loadConfig, parseConfig } from './config.ts';

const SMALL = 'name = "home"\naddress = "10.99.0.1"\n';

function messageOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.message;
  }
  return assert.fail('nothing was thrown');
}

const messageOfText = (text: string): string => messageOf(() => parseConfig(text, '/etc/m.toml'));

test('parseConfig fills in defaults when only name and address are given', () => {
  assert.deepEqual(parseConfig(SMALL, 'f'), {
    name: 'home',
    address: '10.99.0.1',
    port: 7100,
    guestPort: 7101,
    runDir: '/run/mosix',
    stateDir: '/var/lib/mosix',
    balance: true,
    speed: undefined,
    maxGuests: 65_535,
    workstation: false,
    userWeights: new Map(),
  });
});

test('parseConfig names file and key when something is wrong', () => {
  const wrong: [text: string, expected: RegExp][] = [
    ['address = "10.99.0.1"', /\/etc\/m\.toml: the key "name" is missing/],
    ['name = "home"', /the key "address" is missing/],
    [`${SMALL}prot = 7100`, /there is no key "prot"; did you mean "port"\?/],
    [`${SMALL}port = "7100"`, /port = "7100" must be a number/],
    [`${SMALL}port = 70000`, /port = 70000 must be 1 to 65535/],
    [`${SMALL}port = 7100.5`, /whole number/],
    [`${SMALL}guest_port = 7100`, /port and guest_port are both 7100/],
    [`${SMALL}run_dir = "run"`, /run_dir = "run" must be an absolute path/],
    ['name = "a b"\naddress = "10.99.0.1"', /name = "a b" is no name for a node/],
    ['name = "n1"\naddress = "host.example"', /address = "host.example" must be an IP address/],
    [`${SMALL}balance = true`, /balance = true must be "on" or "off"/],
    [`${SMALL}speed = 0`, /speed = 0 must be at least 1/],
    ['name = "n1"\naddress = ', /\/etc\/m\.toml, line 2: /],
  ];
  for (const [text, expected] of wrong) assert.match(messageOfText(text), expected, text);
});

test('loadConfig says that the file is missing when it is', () => {
  assert.match(
    messageOf(() => loadConfig('/nonexistent/m.toml')),
    /Cannot read the configuration \/nonexistent\/m\.toml: there is no such file or directory/,
  );
});
