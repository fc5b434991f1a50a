import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';

import { FakeNode, freePort, TEST_KEY, until } from '../../test/system/fake_node.ts';
import type { PeerConfig } from '../lib/places.ts';
import { CommandClient } from '../wire/command_client.ts';
import { commandSocket, type NodeRow } from '../wire/command_protocol.ts';
import { Handshake } from '../wire/handshake.ts';
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

test('PeerLink says on both sides that the key is wrong when it is', async () => {
  const [one, two] = await places('n1', 'n2');
  await using a = await FakeNode.start({ ...one, peers: [two] });
  await using b = await FakeNode.start({ ...two, peers: [one], key: 'ab'.repeat(32) });
  await untilDown(a, 'n2', /does not hold its cluster's key/);
  await untilDown(b, 'n1', /does not hold its cluster's key/);
  await until('the refusal is in the journal', () =>
    a.logged.some((line) => /peer\.refused.*n2.*does not hold this cluster's key/.test(line)),
  );
});

test('PeerLink says that another node answers when the address is mixed up', async () => {
  const [one, two] = await places('n1', 'n2');
  await using a = await FakeNode.start({ ...one, peers: [{ ...two, name: 'n3' }] });
  await using _ = await FakeNode.start({ ...two, peers: [one] });
  await untilDown(a, 'n3', /calls itself "n2"/);
});

test('PeerListener refuses a node with the key when that is not on its list', async () => {
  const [one, two] = await places('n1', 'n2');
  await using a = await FakeNode.start({ ...one, peers: [two] });
  await using _ = await FakeNode.start({ ...two, peers: [] });
  await untilDown(a, 'n2', /"n2" does not have "n1" on its list/);
});

test('PeerLink goes down and says so when the peer falls silent', async () => {
  const [one, two] = await places('n1', 'n2');
  await using a = await FakeNode.start({ ...one, peers: [two] });
  const { createServer } = await import('node:net');
  const sockets = new Set<Socket>();
  const mute = createServer((socket) => {
    sockets.add(socket);
    const handshake = new Handshake({
      role: 'server',
      purpose: 'control',
      name: 'n2',
      key: Buffer.from(TEST_KEY, 'hex'),
    });
    let answered = false;
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes: Buffer) => {
      const step = handshake.feed(bytes);
      socket.write(step.send);
      // One answer, so that the link counts as up, and not a word after it.
      if (step.done && step.rest.length === 0 && !answered) socket.write('{"pong":0}\n');
      answered ||= step.done;
    });
  });
  mute.listen(two.port, two.address);
  try {
    await until('n2 is up', () => isUp(a, 'n2'));
    await untilDown(a, 'n2', /silent for 0.4 s/);
  } finally {
    mute.close();
    for (const socket of sockets) socket.destroy();
  }
});

test('PeerListener closes on garbage, absurd lengths and half a conversation, and goes on', async () => {
  const [one, two] = await places('n1', 'n2');
  await using a = await FakeNode.start({ ...one, peers: [two] });
  const key = Buffer.from(TEST_KEY, 'hex');
  const hello = new Handshake({ role: 'client', purpose: 'control', name: 'n2', key, version: 1 }).start();
  const otherVersion = new Handshake({ role: 'client', purpose: 'control', name: 'n2', key, version: 2 }).start();
  const guest = new Handshake({ role: 'client', purpose: 'guest', name: 'n2', key }).start();
  assert.deepEqual([...(await send(a.peer, Buffer.from('GET / HTTP/1.1\r\n\r\n')))], [0xe3]);
  assert.deepEqual([...(await send(a.peer, otherVersion))], [0xe2]);
  assert.deepEqual([...(await send(a.peer, guest))], [0xe3]);
  await send(a.peer, Buffer.alloc(1_000_000, 0xff));
  const longName = Buffer.from(hello);
  longName[40] = 0xff;
  await send(a.peer, Buffer.concat([longName, Buffer.alloc(100_000, 0x61)]));
  // Cut in the middle: the deadline of the handshake ends it.
  await send(a.peer, hello.subarray(0, 20));
  await using b = await FakeNode.start({ ...two, peers: [one] });
  await until('the real peer is up', async () => (await isUp(a, 'n2')) && (await isUp(b, 'n1')));
});

test('PeerListener drops a peer that sends no lines, or an endless one', async () => {
  const [one, two] = await places('n1', 'n2');
  await using a = await FakeNode.start({ ...one, peers: [two] });
  for (const nonsense of [Buffer.alloc(200_000, 0x61), Buffer.from('garbage\n'), Buffer.from('[[[\n')]) {
    await new Promise<void>((resolve) => {
      const handshake = new Handshake({
        role: 'client',
        purpose: 'control',
        name: 'n2',
        key: Buffer.from(TEST_KEY, 'hex'),
      });
      const socket = connect(a.peer.port, a.peer.address, () => socket.write(handshake.start()));
      socket.on('error', () => socket.destroy());
      socket.on('close', () => resolve());
      socket.on('data', (bytes: Buffer) => {
        const step = handshake.feed(bytes);
        socket.write(step.send);
        if (step.done) socket.write(nonsense);
      });
    });
  }
  assert.equal(a.logged.filter((line) => line.startsWith('peer.dropped')).length, 3);
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
