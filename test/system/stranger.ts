/**
 * Run inside a host: connects to a node's port and misbehaves as named, each time on a connection of its own.
 * `node stranger.ts ADDRESS PORT PURPOSE NAME…` prints a JSON object: per name how the connection ended.
 * Where it has to be a node, it is the one that the host is.
 */
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';

import { frameHeader, frameType } from '../../src/wire/frames.ts';
import { foundCluster } from '../../src/wire/identity/found_cluster.ts';
import { IdentityStore } from '../../src/wire/identity/identity_store.ts';
import { contextOptions, protocolOf, type Purpose } from '../../src/wire/identity/secure_link.ts';

export interface Ending {
  /** 'closed' by the node, or still 'open' at the deadline. */
  end: 'closed' | 'open';
  /** As text, at most 200 characters. */
  received: string;
}

interface Aim {
  address: string;
  port: number;
  purpose: Purpose;
}

/** What is done to a connection; `hear` takes what comes over it when it is wrapped. */
type Misdeed = (socket: Socket, aim: Aim, hear: (bytes: Buffer) => void) => Promise<void> | void;

/** Longer than the deadline of a handshake. */
const DEADLINE_MS = 20_000;
const STATE_DIR = '/var/lib/mosix';
/** How a TLS client begins: a handshake record of 512 bytes. */
const HALF_A_HELLO = Buffer.of(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3);

/** A handshake with these options; what comes after it is written to `then`. */
function handshake(
  options: (aim: Aim) => ConnectionOptions | Promise<ConnectionOptions>,
  then: (socket: Socket) => void = () => {},
): Misdeed {
  return async (socket, aim, hear) => {
    const secure = connectTls({ rejectUnauthorized: false, ...(await options(aim)), socket });
    secure.on('error', () => socket.destroy());
    secure.on('data', hear);
    secure.once('secureConnect', () => then(secure));
  };
}

function member({ purpose }: Aim): ConnectionOptions {
  const identity = new IdentityStore(STATE_DIR).load();
  if (identity === undefined) throw new Error(`Cannot be a node: nothing in ${STATE_DIR}`);
  return { ...contextOptions(identity), ALPNProtocols: [protocolOf(purpose)] };
}

async function foreigner({ purpose }: Aim): Promise<ConnectionOptions> {
  const place = { name: 'n3', address: '10.0.0.9', port: 1, guestPort: 2 };
  const { identity } = await foundCluster({ cluster: 'bed', place, now: Date.now() });
  return { ...contextOptions(identity), ALPNProtocols: [protocolOf(purpose)] };
}

function frame(type: number, payload: string | Uint8Array, announced = payload.length): Buffer {
  const header = Buffer.alloc(frameHeader);
  header.writeUInt32LE(announced, 0);
  header.writeUInt16LE(type, 4);
  return Buffer.concat([header, Buffer.from(payload as string)]); // cast: Buffer.from takes both
}

/** A member of the cluster sends these bytes when it has been let in. */
function asMember(bytes: Uint8Array | string, options: { end?: boolean } = {}): Misdeed {
  return handshake(member, (socket) => {
    // On a guest port the node's word that it has let us in comes first.
    const say = (): void => {
      socket.write(bytes);
      if (options.end === true) socket.end();
    };
    if (frameful(bytes)) socket.once('data', say);
    else say();
  });
}

function frameful(bytes: Uint8Array | string): boolean {
  return typeof bytes !== 'string' && bytes.length >= frameHeader && bytes.length < 4096;
}

const everyType = Array.from({ length: 40 }, (_, type) => type);

const misdeeds: Record<string, Misdeed> = {
  garbage: (socket) => void socket.write(Buffer.alloc(4096, 'no protocol at all ')),
  zeros: (socket) => void socket.write(Buffer.alloc(65_536)),
  silence: () => {},
  'half a hello': (socket) => void socket.write(HALF_A_HELLO),
  'half a hello, then the end': (socket) => void socket.end(HALF_A_HELLO),
  'an old TLS': handshake((aim) => ({ ...member(aim), minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' })),
  'a wrong purpose': handshake((aim) => member({ ...aim, purpose: aim.purpose === 'guest' ? 'control' : 'guest' })),
  'no certificate': handshake(({ purpose }) => ({ ALPNProtocols: [protocolOf(purpose)] })),
  'a foreign certificate': handshake(foreigner),

  'a line without an end': asMember(Buffer.alloc(20 << 20, '{')),
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
    Array.from({ length: 500 }, (_, i) => [`stranger ${i}`, (socket: Socket) => void socket.write(Buffer.of(0x16))]),
  ),
  ...Object.fromEntries(everyType.map((type) => [`type ${type}, empty`, asMember(frame(type, ''), { end: true })])),
  ...Object.fromEntries(everyType.map((type) => [`type ${type}, object`, asMember(frame(type, '{}'), { end: true })])),
};

function attempt(aim: Aim, name: string): Promise<Ending> {
  return new Promise((resolve) => {
    const received: Buffer[] = [];
    const hear = (bytes: Buffer): void => void received.push(bytes);
    const socket = connect(aim.port, aim.address);
    const finish = (end: Ending['end']): void => {
      clearTimeout(timer);
      resolve({ end, received: Buffer.concat(received).toString('latin1').slice(0, 200) });
      socket.destroy();
    };
    const timer = setTimeout(() => finish('open'), DEADLINE_MS);
    socket.on('error', () => finish('closed'));
    socket.on('close', () => finish('closed'));
    socket.once('connect', () => {
      const done = misdeeds[name](socket, aim, hear);
      // What is not wrapped has to be read, or its end is not noticed.
      if (!(done instanceof Promise)) socket.resume();
      else done.catch(() => finish('open'));
    });
  });
}

async function main([address, port, purpose, ...names]: readonly string[]): Promise<void> {
  const aim: Aim = { address, port: Number(port), purpose: purpose as Purpose }; // cast: our own test's word
  const groups: Record<string, string> = { 'every type': 'type ', 'a crowd': 'stranger ' };
  const wanted = names.flatMap((name) => {
    const prefix = groups[name];
    return prefix === undefined ? name : Object.keys(misdeeds).filter((each) => each.startsWith(prefix));
  });
  const endings = await Promise.all(wanted.map(async (name) => [name, await attempt(aim, name)] as const));
  console.log(JSON.stringify(Object.fromEntries(endings)));
}

if (import.meta.main) await main(process.argv.slice(2));
