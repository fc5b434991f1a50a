/** Who is let in and who is not, by real handshakes on the loopback device. */
import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { connect as connectTcp, type AddressInfo, createServer } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { test, type TestContext } from 'node:test';

import { createKey, issueCertificate, type Credential } from './certificates.ts';
import { signCharter } from './charter.ts';
import { foundCluster, withoutNode } from './found_cluster.ts';
import { IdentityError } from './identity_error.ts';
import type { Identity } from './identity_store.ts';
import { contextOptions, dialNode, LinkError, protocolOf, type Purpose } from './secure_link.ts';
import { SecureServer } from './secure_server.ts';

const now = Date.now();
const place = { name: 'n1', address: '127.0.0.1', port: 7100, guestPort: 7101 };
const lab = await foundCluster({ cluster: 'lab', place, now });
const foreign = await foundCluster({ cluster: 'lab', place: { ...place, name: 'n2' }, now });

/** A node of the cluster `lab`, or what says to be one. */
async function member(
  node: string,
  changes: { by?: Credential; cluster?: string; at?: number } = {},
): Promise<Identity> {
  const { by = lab.authority, cluster = 'lab', at = now } = changes;
  const key = createKey();
  const certificate = await issueCertificate(
    by,
    { cluster, node, publicKey: createPublicKey(key) },
    { now: at, days: 1 },
  );
  return { ...lab.identity, key, certificate };
}

interface Listening {
  server: SecureServer;
  port: number;
  logged: string[];
  linked: string[];
}

async function listening(t: TestContext, identity = lab.identity): Promise<Listening> {
  const probe = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => probe.once('listening', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  const logged: string[] = [];
  const linked: string[] = [];
  const server = new SecureServer({
    identity,
    address: '127.0.0.1',
    port,
    purposes: ['control', 'join'],
    log: (event, fields) => void logged.push(`${event} ${JSON.stringify(fields)}`),
    handshakeMs: 300,
    onNode: (socket, peer) => {
      linked.push(peer.node);
      socket.write('welcome\n');
    },
    onStranger: (socket) => socket.end('stranger\n'),
  });
  await server.listen();
  t.after(() => server.stop());
  return { server, port, logged, linked };
}

function answerOf(socket: TLSSocket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString();
      if (text.endsWith('\n')) resolve(text);
    });
    socket.on('close', () => resolve(text));
  });
}

function dialAs(identity: Identity, port: number, purpose: Purpose = 'control'): Promise<TLSSocket> {
  return dialNode(identity, { address: '127.0.0.1', port, purpose, timeoutMs: 2000 }).then(({ socket }) => socket);
}

/** Whatever the client believes: what the server answers. */
function raw(port: number, options: ConnectionOptions): Promise<string> {
  const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
  socket.on('error', () => socket.destroy());
  return answerOf(socket);
}

test('SecureServer lets a node of the cluster in, and both know who the other is', async (t) => {
  const { port, linked } = await listening(t);
  const identity = await member('n2');
  const { socket, peer } = await dialNode(identity, {
    address: '127.0.0.1',
    port,
    purpose: 'control',
    timeoutMs: 2000,
  });
  assert.equal(peer.node, 'n1');
  assert.equal(socket.getProtocol(), 'TLSv1.3');
  assert.equal(await answerOf(socket).then(String), 'welcome\n');
  assert.deepEqual(linked, ['n2']);
  socket.destroy();
});

test('SecureServer refuses expired, early, foreign, forged and missing certificates, and says why on both sides', async (t) => {
  const { port, logged, linked } = await listening(t);
  const control = { ALPNProtocols: [protocolOf('control')] };
  const stolen = await member('n2');
  // It bears the name of our authority and the signature of another.
  const forged = await member('n2', { by: { ...foreign.authority, certificate: lab.authority.certificate } });
  const selfMade = await foundCluster({ cluster: 'lab', place: { ...place, name: 'n2' }, now });
  const day = 86_400_000;
  const cases: [string, ConnectionOptions, RegExp][] = [
    ['expired', contextOptions(await member('n2', { at: now - 2 * day })), /its certificate has expired/],
    ['early', contextOptions(await member('n2', { at: now + day })), /is not valid yet/],
    ['foreign', contextOptions(foreign.identity), /not of this cluster's authority/],
    ['another cluster', contextOptions(await member('n2', { cluster: 'moon' })), /of the cluster .*moon/],
    ['an authority', { key: lab.authority.key, cert: lab.authority.certificate }, /for something else than links/],
    ['forged', contextOptions(forged), /is forged/],
    ['none', {}, /it shows no certificate/],
    [
      'forged chain',
      { key: selfMade.identity.key, cert: selfMade.identity.certificate + lab.authority.certificate },
      /not of this cluster's authority/,
    ],
  ];
  for (const [what, options, why] of cases) {
    const answer = await raw(port, { ...options, ...control });
    assert.match(answer, why, what);
    assert.match(logged.at(-1) ?? '', /^peer\.refused/, what);
    assert.match(logged.at(-1) ?? '', why, what);
  }
  // A certificate without its key cannot even be shown.
  assert.throws(() => connectTls({ port, key: createKey(), cert: stolen.certificate }), /key values mismatch/);
  assert.deepEqual(linked, []);
});

test('SecureServer refuses plaintext, silence, old versions of TLS and the wrong port, and goes on', async (t) => {
  const { port, logged } = await listening(t);
  const plain = connectTcp(port, '127.0.0.1', () => plain.write('GET / HTTP/1.1\r\n\r\n'));
  plain.on('error', () => plain.destroy()).resume();
  await new Promise((resolve) => plain.once('close', resolve));
  assert.match(logged.at(-1) ?? '', /does not speak TLS"/);
  const silent = connectTcp(port, '127.0.0.1').on('error', () => {});
  await new Promise((resolve) => silent.resume().once('close', resolve));
  assert.match(logged.at(-1) ?? '', /took too long/);
  await raw(port, { maxVersion: 'TLSv1.2', ALPNProtocols: [protocolOf('control')] });
  assert.match(logged.at(-1) ?? '', /does not speak TLS 1\.3/);
  const identity = await member('n2');
  await assert.rejects(dialAs(identity, port, 'guest'), /wants the port for something else/);
  assert.match(logged.at(-1) ?? '', /wants the port for something else/);
  assert.match(await raw(port, contextOptions(identity)), /does not say what it wants/);
  assert.equal(await answerOf(await dialAs(identity, port)), 'welcome\n');
  assert.equal(await raw(port, { ALPNProtocols: [protocolOf('join')] }), 'stranger\n');
});

test('SecureServer drops and refuses a node when it is revoked', async (t) => {
  const { server, port, logged } = await listening(t);
  const identity = await member('n2');
  const socket = await dialAs(identity, port);
  await answerOf(socket);
  const { keyOf } = await import('./found_cluster.ts');
  const nodes = [...lab.identity.charter.nodes, { ...place, name: 'n2', port: 1, key: keyOf(identity.certificate) }];
  const charter = withoutNode({ ...lab.identity.charter, nodes }, 'n2', now);
  assert.notDeepEqual(charter.gossipKeys, lab.identity.charter.gossipKeys);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  server.use({ ...lab.identity, charter, signed: signCharter(charter, [lab.authority]) });
  await closed;
  assert.match(logged.at(-1) ?? '', /^peer\.dropped .*"n2".*revoked/);
  assert.match(await answerOf(await dialAs(identity, port)), /the node \\"n2\\" has been revoked/);
});

test('dialNode tells a server of another cluster, one that is none, and one that is not there', async (t) => {
  const { port } = await listening(t, foreign.identity);
  await assert.rejects(dialAs(lab.identity, port), (error) => {
    assert.ok(error instanceof IdentityError);
    return /not of this cluster's authority/.test(error.message);
  });
  const talker = createServer((socket) => void socket.end('220 mail\r\n')).listen(0, '127.0.0.1');
  t.after(() => talker.close());
  await new Promise((resolve) => talker.once('listening', resolve));
  await assert.rejects(dialAs(lab.identity, (talker.address() as AddressInfo).port), /does not speak TLS/);
  await assert.rejects(
    dialAs(lab.identity, 1),
    (error) => error instanceof LinkError && /nothing accepts/.test(error.message),
  );
  const mute = createServer().listen(0, '127.0.0.1');
  t.after(() => mute.close());
  await new Promise((resolve) => mute.once('listening', resolve));
  const to = {
    address: '127.0.0.1',
    port: (mute.address() as AddressInfo).port,
    purpose: 'control',
    timeoutMs: 50,
  } as const;
  await assert.rejects(dialNode(lab.identity, to), /does not answer within 0.05 s/);
});
