import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { ConfigError, loadConfig, loadKey, parseConfig } from './config.ts';

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
    keyFile: '/etc/mosix/cluster.key',
    runDir: '/run/mosix',
    balance: true,
    speed: undefined,
    maxGuests: 65_535,
    workstation: false,
    peers: [],
  });
});

test('parseConfig leaves this node out of its peers when the list has all nodes', () => {
  const text = `${SMALL}[[peers]]\nname="home"\naddress="10.99.0.1"\n[[peers]]\nname="n2"\naddress="10.99.0.2"\nguest_port=9\n`;
  assert.deepEqual(parseConfig(text, 'f').peers, [{ name: 'n2', address: '10.99.0.2', port: 7100, guestPort: 9 }]);
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
    [`${SMALL}peers = 3`, /peers = 3 must be a list/],
    [`${SMALL}peers = [3]`, /peers\[0\] = 3 must be a table/],
    [`${SMALL}[[peers]]\nname = "n2"`, /the key "peers\[0\].address" is missing/],
    [
      `${SMALL}[[peers]]\nname = "home2"\nadress = "1.2.3.4"\naddress = "1.2.3.4"`,
      /no key "peers\[0\]\.adress"; did you mean "address"\?/,
    ],
    [
      `${SMALL}[[peers]]\nname = "x"\naddress = "1.2.3.4"\n[[peers]]\nname = "x"\naddress = "1.2.3.5"`,
      /two peers named "x"/,
    ],
    [`${SMALL}[[peers]]\nname = "x"\naddress = "10.99.0.1"`, /"home" and "x" are both at 10\.99\.0\.1 port 7100/],
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

test('loadKey gives 32 bytes when the file is right, and says what is wrong when not', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'key-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'cluster.key');
  writeFileSync(file, `${'0a'.repeat(32)}\n`, { mode: 0o600 });
  assert.deepEqual(loadKey(file), new Uint8Array(32).fill(10));

  chmodSync(file, 0o640);
  assert.match(
    messageOf(() => loadKey(file)),
    /others may read it \(mode 0640\); run: chmod 600/,
  );
  chmodSync(file, 0o600);
  for (const bad of ['', 'xyz', '0a'.repeat(31), '0a'.repeat(33), `${'0a'.repeat(32)}g`]) {
    writeFileSync(file, bad);
    assert.match(
      messageOf(() => loadKey(file)),
      /64 hex digits/,
      bad,
    );
  }
  assert.match(
    messageOf(() => loadKey(join(directory, 'none'))),
    /there is no such file or directory/,
  );
  if (process.geteuid?.() === 0) {
    writeFileSync(file, '0a'.repeat(32));
    chownSync(file, 12345, 12345);
    assert.match(
      messageOf(() => loadKey(file)),
      /belongs to user 12345/,
    );
  }
});
