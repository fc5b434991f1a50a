/** A node for tests of mosd and the commands: a real mosd in this process, with an engine that only notes what it is asked. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { jsonLine, JsonLineReader } from '../../src/lib/json_lines.ts';
import type { PeerConfig } from '../../src/lib/places.ts';
import { Daemon } from '../../src/node/daemon.ts';
import type { LinkTimes } from '../../src/node/peer_link.ts';
import type { ProcessList } from '../../src/wire/engine_protocol.ts';
import { createKey, createRequest, issueCertificate, openRequest } from '../../src/wire/identity/certificates.ts';
import { signCharter, type Member } from '../../src/wire/identity/charter.ts';
import { foundCluster, keyOf } from '../../src/wire/identity/found_cluster.ts';
import { IdentityStore, type Identity } from '../../src/wire/identity/identity_store.ts';
import { RefusedError } from '../../src/wire/line_errors.ts';

/** Milliseconds; a hundredth of what is used outside of tests. */
const QUICK: LinkTimes = { connectMs: 1_000, pingMs: 20, silenceMs: 400, retryMs: 10, maxRetryMs: 50 };
const DEADLINE_MS = 10_000;

export interface EngineRequest {
  id: number;
  op: string;
  pid?: number;
  to?: { name: string };
}

type Behaviour = (request: EngineRequest, progress: (value: object) => void) => unknown;

export class FakeEngine {
  readonly requests: EngineRequest[] = [];
  list: ProcessList = { away: [], guests: [], returned: [] };
  /** What it answers; throw a RefusedError for a refusal. */
  behaviours: Record<string, Behaviour> = {};
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(path: string, node: string) {
    this.behaviours = {
      hello: () => ({ pid: 4_194_304, version: 1, node, guestPort: 1 }),
      list: () => this.list,
      ping: ({ to }) => ({ rttMs: 1, node: to?.name, version: 1 }),
    };
    this.#server = createServer((socket) => this.#serve(socket));
    rmSync(path, { force: true });
    this.#server.listen(path);
  }

  asked(op: string): EngineRequest[] {
    return this.requests.filter((request) => request.op === op);
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #serve(socket: Socket): void {
    const reader = new JsonLineReader();
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('data', (bytes: Buffer) => {
      for (const message of reader.feed(bytes)) void this.#answer(socket, message as EngineRequest);
    });
  }

  async #answer(socket: Socket, request: EngineRequest): Promise<void> {
    this.requests.push(request);
    const { id, op } = request;
    const progress = (value: object): void => void socket.write(jsonLine({ id, progress: value }));
    try {
      const behave = this.behaviours[op];
      if (behave === undefined) throw new RefusedError('bad-request', `no ${op} here`);
      socket.write(jsonLine({ id, ok: true, result: await behave(request, progress) }));
    } catch (error) {
      const { code, message } = error as RefusedError;
      socket.write(jsonLine({ id, ok: false, error: { code, message } }));
    }
  }
}

export interface FakeNodeOptions {
  name: string;
  address?: string;
  port?: number;
  /** Those that the charter has beside it. */
  peers?: PeerConfig[];
  /** Whose authority its certificate is of. Default: that of all nodes of this process. */
  cluster?: TestCluster;
  /** Default: 'fake'; 'none': nothing answers on engine.sock, and none can be started. */
  engine?: 'fake' | 'none';
}

export class FakeNode implements AsyncDisposable {
  readonly directory: string;
  readonly runDir: string;
  readonly peer: PeerConfig;
  readonly logged: string[] = [];
  readonly engine: FakeEngine;
  readonly #configFile: string;
  #daemon: Daemon | undefined;

  private constructor({ name, address = '127.0.0.1' }: FakeNodeOptions, port: number) {
    // Other users connect to it, too.
    this.directory = mkdtempSync(join(tmpdir(), 'mosd-'));
    chmodSync(this.directory, 0o755);
    this.runDir = this.directory;
    this.peer = { name, address, port, guestPort: port === 65535 ? 1 : port + 1 };
    this.#configFile = join(this.directory, 'mosix.toml');
    // Links here count as silent after 0.4 s: nothing is to be measured beside them.
    const own = { ...this.peer, run_dir: this.runDir, state_dir: this.#stateDir, speed: 10_000, balance: 'off' };
    writeFileSync(this.#configFile, toml(own));
    this.engine = new FakeEngine(join(this.runDir, 'engine.sock'), name);
  }

  static async start(options: FakeNodeOptions): Promise<FakeNode> {
    const node = new FakeNode(options, options.port ?? (await freePort(options.address)));
    const identity = await identityOf(node.peer, options.peers ?? [], options.cluster);
    new IdentityStore(node.#stateDir).saveIdentity(identity);
    await node.startDaemon();
    return node;
  }

  get #stateDir(): string {
    return join(this.directory, 'state');
  }

  async startDaemon(): Promise<void> {
    const log = (event: string, fields: object = {}): void =>
      void this.logged.push(`${event} ${JSON.stringify(fields)}`);
    const daemon = new Daemon({ configFile: this.#configFile, log, linkTimes: QUICK });
    await daemon.start();
    this.#daemon = daemon;
  }

  stopDaemon(): void {
    this.#daemon?.stop();
    this.#daemon = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon?.dissolve();
    this.stopDaemon();
    this.engine.stop();
    rmSync(this.directory, { recursive: true });
  }
}

/** An authority for tests. */
export type TestCluster = Awaited<ReturnType<typeof foundCluster>>;

export function newTestCluster(cluster = 'lab'): Promise<TestCluster> {
  const place = { name: 'founder', address: '127.0.0.1', port: 1, guestPort: 2 };
  return foundCluster({ cluster, place, now: Date.now() });
}

const usualCluster = await newTestCluster();

/** A node's identity, with a charter that has it and its peers, whoever else the cluster has. */
export async function identityOf(
  place: PeerConfig,
  peers: readonly PeerConfig[],
  { identity, authority }: TestCluster = usualCluster,
): Promise<Identity> {
  const key = createKey();
  const { publicKey } = await openRequest(await createRequest(place.name, key));
  const subject = { cluster: identity.charter.cluster, node: place.name, publicKey };
  const certificate = await issueCertificate(authority, subject, { now: Date.now(), days: 1 });
  const nodes = [place, ...peers].map((node): Member => ({ ...node, key: keyOf(certificate) }));
  const charter = { ...identity.charter, nodes };
  return { key, certificate, charter, signed: signCharter(charter, [authority]) };
}

function toml(table: object): string {
  const names: Record<string, string> = { guestPort: 'guest_port' };
  return Object.entries(table)
    .map(([key, value]) => `${names[key] ?? key} = ${JSON.stringify(value)}\n`)
    .join('');
}

/** A port that nothing listens on right now, nor on the next. */
export async function freePort(address = '127.0.0.1'): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Waits until the condition holds; its value is the result. @throws Error with what was waited for */
export async function until<T>(what: string, condition: () => T | Promise<T>): Promise<NonNullable<T>> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== null && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`Cannot go on: waited ${DEADLINE_MS / 1000} s until ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}
