import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { test } from 'node:test';

import { FakeNode, freePort, identityOf, newTestCluster, until } from '../../test/system/fake_node.ts';
import type { PeerConfig } from '../lib/places.ts';
import { CommandClient } from '../wire/command_client.ts';
import { commandSocket, type NodeRow } from '../wire/command_protocol.ts';
import { contextOptions, dialNode, protocolOf } from '../wire/identity/secure_link.ts';
import { LineClient } from '../wire/line_client.ts';

async function nodesOf(node: FakeNode): Promise<Map<string, NodeRow>> {
  using connection = await LineClient.connect(commandSocket(node.runDir), 2_000);
  const rows = await new CommandClient(connection).nodes();
  return new Map(rows.map((row) => [row.name, row]));
}

const isUp = async (node: FakeNode, peer: string): Promise<boolean> => (await nodesOf(node)).get(peer)?.state === 'up';
/** Waits until the peer is down for that reason; while a node starts, there are others. */
async function untilDown(node: FakeNode, peer: string, why: RegExp): Promise<void> {
  await until(`${peer} is down: ${why.source}`, async () => {
    const row = (await nodesOf(node)).get(peer);
    return row?.state === 'down' && why.test(row.why ?? '');
  });
}

async function places(...names: string[]): Promise<PeerConfig[]> {
  const ports = await Promise.all(names.map(() => freePort()));
  return names.map((name, index) => ({ name, address: '127.0.0.1', port: ports[index], guestPort: 1 }));
}

/** Sends bytes to a peer port and collects what comes back until the connection ends. */
function send(peer: PeerConfig, bytes: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const received: Buffer[] = [];
    const socket = connect(peer.port, peer.address, () => socket.write(bytes));
    socket.setTimeout(8_000, () => reject(new Error('Cannot go on: the connection was left open')));
    socket.on('data', (piece: Buffer) => received.push(piece));
    // A reset is a way to say goodbye, too.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => resolve(Buffer.concat(received)));
  });
}

test('PeerLink is up on both sides when both hold the key, and comes up again after a restart', async () => {
  const [one, two] = await places('n1', 'n2');
  await using a = await FakeNode.start({ ...one, peers: [two] });
  {
    await using b = await FakeNode.start({ ...two, peers: [one] });
    await until('both are up', async () => (await isUp(a, 'n2')) && (await isUp(b, 'n1')));
    const row = (await nodesOf(a)).get('n2');
    assert.ok((row?.rttMs ?? -1) >= 0);
    assert.equal(row?.why, undefined);
  }
  await untilDown(a, 'n2', /closed the connection|nothing accepts/);
  await using b = await FakeNode.start({ ...two, peers: [one] });
  await until('both are up again', async () => (await isUp(a, 'n2')) && (await isUp(b, 'n1')));
});

test('PeerLink says on both sides that the other is of another cluster when it is', async () => {
  const [one, two] = await places('n1', 'n2');
  await using a = await FakeNode.start({ ...one, peers: [two] });
  await using b = await FakeNode.start({ ...two, peers: [one], cluster: await newTestCluster() });
  await untilDown(a, 'n2', /certificate is not of this cluster's authority/);
  await untilDown(b, 'n1', /certificate is not of this cluster's authority/);
});

test('PeerLink says that another node answers when the address is mixed up', async () => {
  const [one, two] = await places('n1', 'n2');
  await using a = await FakeNode.start({ ...one, peers: [{ ...two, name: 'n3' }] });
  await using _ = await FakeNode.start({ ...two, peers: [one] });
  await untilDown(a, 'n3', /calls itself "n2"/);
});

test('PeerLink goes down and says so when the peer falls silent', async () => {
  const [one, two] = await places('n1', 'n2');
  await using a = await FakeNode.start({ ...one, peers: [two] });
  const sockets = new Set<TLSSocket>();
  const mute = createServer(
    {
      ...contextOptions(await identityOf(two, [one])),
      ALPNProtocols: [protocolOf('control')],
      requestCert: true,
      rejectUnauthorized: false,
    },
    (socket) => {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      // One answer, so that the link counts as up, and not a word after it.
      socket.once('data', () => socket.write('{"id":1,"ok":true,"result":{}}\n'));
    },
  );
  mute.listen(two.port, two.address);
  try {
    await until('n2 is up', () => isUp(a, 'n2'));
    await untilDown(a, 'n2', /silent for 0.4 s/);
  } finally {
    mute.close();
    for (const socket of sockets) socket.destroy();
  }
});

test('PeerListener closes on garbage and half a conversation, and goes on', async () => {
  const [one, two] = await places('n1', 'n2');
  await using a = await FakeNode.start({ ...one, peers: [two] });
  await send(a.peer, Buffer.from('GET / HTTP/1.1\r\n\r\n'));
  await send(a.peer, Buffer.alloc(1_000_000, 0xff));
  // The beginning of a TLS record, and then nothing: the deadline of the handshake ends it.
  await send(a.peer, Buffer.of(0x16, 3, 1, 2, 0, 1, 0, 1));
  await until('they are in the journal', () => a.logged.filter((line) => line.startsWith('peer.refused')).length >= 3);
  await using b = await FakeNode.start({ ...two, peers: [one] });
  await until('the real peer is up', async () => (await isUp(a, 'n2')) && (await isUp(b, 'n1')));
});

test('PeerListener tells a node that sends no lines, or an endless one, and closes', async () => {
  const [one, two] = await places('n1', 'n2');
  await using a = await FakeNode.start({ ...one, peers: [two] });
  const identity = await identityOf(two, [one]);
  for (const nonsense of [Buffer.alloc(20_000_000, 0x61), Buffer.from('garbage\n'), Buffer.from('[[[\n')]) {
    const { socket } = await dialNode(identity, { ...a.peer, purpose: 'control', timeoutMs: 2_000 });
    let said = '';
    socket.on('data', (bytes: Buffer) => (said += bytes.toString()));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(nonsense);
    await closed;
    assert.match(said, /Cannot read the message|^$/);
  }
});

test('PeerListener lets the real peer in while strangers hold as many connections as they can', async () => {
  const [one, two] = await places('n1', 'n2');
  await using a = await FakeNode.start({ ...one, peers: [two] });
  const strangers = Array.from({ length: 150 }, () => connect(a.peer.port, a.peer.address).on('error', () => {}));
  let open = strangers.length;
  for (const stranger of strangers) stranger.on('close', () => (open -= 1)).resume();
  await using b = await FakeNode.start({ ...two, peers: [one] });
  await until('both are up', async () => (await isUp(a, 'n2')) && (await isUp(b, 'n1')));
  await until('the oldest strangers are gone', () => open <= 64);
  await until('all strangers are gone', () => open === 0);
});
