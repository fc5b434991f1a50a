/**
 * Run inside a host: connects to a node's port and misbehaves as named, each time on a connection of its own.
 * `node stranger.ts ADDRESS PORT PURPOSE KEY NAME…` prints a JSON object: per name how the connection ended.
 */
import { connect, type Socket } from 'node:net';
import { frameHeader, frameType } from '../../src/wire/frames.ts';
import { Handshake, type HandshakeStep, PROTOCOL_VERSION, type Purpose } from '../../src/wire/handshake.ts';

export interface Ending {
  /** 'closed' by the node, or still 'open' at the deadline. */
  end: 'closed' | 'open';
  /** hexadecimal, at most 64 bytes */
  received: string;
}

interface Aim {
  address: string;
  port: number;
  purpose: Purpose;
  key: Uint8Array;
}

type Misdeed = (socket: Socket, aim: Aim) => Promise<void> | void;

/** Longer than the deadline of a handshake. */
const DEADLINE_MS = 20_000;

/** What a peer begins with, that far correct. */
function hello(purpose: Purpose, version = PROTOCOL_VERSION): Buffer {
  const key = new Uint8Array(32);
  return Buffer.from(new Handshake({ role: 'client', purpose, name: 'n3', key, version }).start());
}

/** As `hello`, with one byte changed. */
function forged(purpose: Purpose, at: number, value: number): Buffer {
  const bytes = hello(purpose);
  bytes[at] = value;
  return bytes;
}

/** Proves the key as the node `name`; settles when that is done or refused. */
function join(socket: Socket, aim: Aim, name = 'n3'): Promise<void> {
  const handshake = new Handshake({ role: 'client', purpose: aim.purpose, name, key: aim.key });
  socket.write(handshake.start());
  return new Promise((resolve) => {
    const feed = (bytes: Buffer): void => {
      let step: HandshakeStep;
      try {
        step = handshake.feed(bytes);
      } catch {
        return void socket.off('data', feed); // refused: what was received tells
      }
      if (step.send.length > 0) socket.write(step.send);
      if (!step.done) return;
      socket.off('data', feed);
      resolve();
    };
    socket.on('data', feed);
  });
}

function frame(type: number, payload: string | Uint8Array, announced = payload.length): Buffer {
  const header = Buffer.alloc(frameHeader);
  header.writeUInt32LE(announced, 0);
  header.writeUInt16LE(type, 4);
  return Buffer.concat([header, Buffer.from(payload as string)]); // cast: Buffer.from takes both
}

/** A member of the cluster sends these bytes after its proof. */
function asMember(bytes: Uint8Array | string, options: { end?: boolean; name?: string } = {}): Misdeed {
  return async (socket, aim) => {
    await join(socket, aim, options.name);
    socket.write(bytes);
    if (options.end === true) socket.end();
  };
}

const everyType = Array.from({ length: 40 }, (_, type) => type);

const misdeeds: Record<string, Misdeed> = {
  garbage: (socket) => void socket.write(Buffer.alloc(4096, 'no protocol at all ')),
  zeros: (socket) => void socket.write(Buffer.alloc(65_536)),
  silence: () => {},
  'half a hello': (socket, { purpose }) => void socket.write(hello(purpose).subarray(0, 20)),
  'half a hello, then the end': (socket, { purpose }) => void socket.end(hello(purpose).subarray(0, 20)),
  'an absurd name length': (socket, { purpose }) => void socket.write(forged(purpose, 40, 255)),
  'a wrong role': (socket, { purpose }) => void socket.write(forged(purpose, 6, 0x53)),
  'a wrong purpose': (socket, { purpose }) => void socket.write(hello(purpose === 'guest' ? 'control' : 'guest')),
  'a wrong version': (socket, { purpose }) => void socket.write(hello(purpose, PROTOCOL_VERSION + 8)),
  'a wrong key': (socket, aim) => void join(socket, { ...aim, key: new Uint8Array(32).fill(9) }),
  'garbage for a proof': (socket, { purpose }) => void socket.write(Buffer.concat([hello(purpose), Buffer.alloc(999)])),

  'a name that is not listed': asMember('', { name: 'stranger' }),
  'a line without an end': asMember(Buffer.alloc(8 << 20, '{')),
  'a line that is no JSON': asMember('ping\n'),

  'an absurd frame length': asMember(frame(frameType.prepare, 'x', 0xffffffff)),
  'a truncated frame': asMember(frame(frameType.prepare, 'x', 100), { end: true }),
  'an unknown type of frame': asMember(frame(999, '{}')),
  'a preparation that is no JSON': asMember(frame(frameType.prepare, 'prepare!')),
  'an empty preparation': asMember(frame(frameType.prepare, '{}')),
  'pages of nothing': asMember(frame(frameType.pages, new Uint8Array(64).fill(0xff))),
  'file pages of nothing': asMember(frame(frameType.filePages, new Uint8Array(64).fill(0xff))),
  'an image before its preparation': asMember(frame(frameType.image, '{}')),
  // Who sends nothing at all may wait for ever: when the node's backlog is full, only the client believes in the connection.
  ...Object.fromEntries(
    Array.from({ length: 500 }, (_, i) => [`stranger ${i}`, (socket: Socket) => void socket.write('M')]),
  ),
  ...Object.fromEntries(everyType.map((type) => [`type ${type}, empty`, asMember(frame(type, ''), { end: true })])),
  ...Object.fromEntries(everyType.map((type) => [`type ${type}, object`, asMember(frame(type, '{}'), { end: true })])),
};

function attempt(aim: Aim, name: string): Promise<Ending> {
  return new Promise((resolve) => {
    const received: Buffer[] = [];
    const socket = connect(aim.port, aim.address);
    const finish = (end: Ending['end']): void => {
      clearTimeout(timer);
      resolve({ end, received: Buffer.concat(received).subarray(0, 64).toString('hex') });
      socket.destroy();
    };
    const timer = setTimeout(() => finish('open'), DEADLINE_MS);
    socket.on('error', () => finish('closed'));
    socket.on('close', () => finish('closed'));
    socket.on('data', (bytes: Buffer) => void received.push(bytes));
    socket.once('connect', () => void misdeeds[name](socket, aim));
  });
}

async function main([address, port, purpose, key, ...names]: readonly string[]): Promise<void> {
  const aim: Aim = { address, port: Number(port), purpose: purpose as Purpose, key: Buffer.from(key, 'hex') }; // cast: our own test's word
  const groups: Record<string, string> = { 'every type': 'type ', 'a crowd': 'stranger ' };
  const wanted = names.flatMap((name) => {
    const prefix = groups[name];
    return prefix === undefined ? name : Object.keys(misdeeds).filter((each) => each.startsWith(prefix));
  });
  const endings = await Promise.all(wanted.map(async (name) => [name, await attempt(aim, name)] as const));
  console.log(JSON.stringify(Object.fromEntries(endings)));
}

if (import.meta.main) await main(process.argv.slice(2));
