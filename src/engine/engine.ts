/**
 * The engine process of a node: workers do the work, this main thread speaks with `mosd` over the control socket.
 * It is a process of its own, so that a restart of `mosd` disturbs nothing that runs.
 */
import fs from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import net from 'node:net';
import path from 'node:path';
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import { configFile, loadConfig, type NodeConfig } from '../lib/config.ts';
import { jsonLine, JsonLineReader } from '../lib/json_lines.ts';
import { childEventDescriptor } from '../sys/children.ts';
import { eventDescriptor, listenTcp, ring } from '../sys/descriptors.ts';
import { kernel, selfTest } from '../sys/kernel.ts';
import { compileAfterOthers, serveThisThreadSoon } from '../sys/priority.ts';
import { nr } from '../sys/x64/numbers.ts';
import type { CallList, MoveResult } from '../wire/engine_protocol.ts';
import { protocolVersion } from '../wire/frames.ts';
import { IdentityStore } from '../wire/identity/identity_store.ts';
import { CallHistory } from './call_history.ts';
import type { CallCounts } from './image/call_statistics.ts';
import { removeLeftCgroups } from './host/cgroup.ts';
import type { Peer } from './image/departure_types.ts';
import { EventLog } from './event_log.ts';
import { companionsOf } from './home/sole_mapper.ts';
import { memoryOf } from './task/memory_use.ts';
import type { ReturnedProcess, WorkerReply, WorkerRequest, WorkerSettings } from './worker_messages.ts';

/** Threads that move and serve processes. More use more CPUs for many guests; each costs about 15 MB. */
const workerCount = 2;
/** Why a process comes home when somebody has asked for it. */
const byCommand = 'recalled';
/** How many processes that came home are remembered for `mosps`. */
const rememberedReturns = 200;

interface ControlRequest {
  id: number;
  op: string;
  pid?: number;
  to?: Peer;
  after?: number;
  pids?: number[];
  reason?: string;
}

class RequestError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** One worker thread, with its pending requests. */
class WorkerHandle {
  readonly #port: MessagePort;
  readonly #wake: number;
  readonly #pending = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (error: Error) => void; progress: (value: unknown) => void }
  >();
  #next = 1;

  constructor(worker: Worker, port: MessagePort, wake: number, events: (reply: WorkerReply) => void) {
    this.#port = port;
    this.#wake = wake;
    worker.on('message', (reply: WorkerReply) => {
      if ('id' in reply) this.#answer(reply);
      else events(reply);
    });
  }

  ask(
    request: WorkerRequest extends infer R ? (R extends unknown ? Omit<R, 'id'> : never) : never,
    progress: (value: unknown) => void = () => {},
  ): Promise<unknown> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, progress });
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a MessagePort, not a window
      this.#port.postMessage({ ...request, id });
      ring(this.#wake);
    });
  }

  #answer(reply: Extract<WorkerReply, { id: number }>): void {
    const pending = this.#pending.get(reply.id);
    if (!pending) return;
    if ('progress' in reply) return pending.progress(reply.progress);
    this.#pending.delete(reply.id);
    if ('error' in reply) pending.reject(new RequestError(reply.error.code, reply.error.message));
    else pending.resolve(reply.result);
  }
}

interface AwayEntry {
  pid: number;
  forwarded: number;
  cpuAwayMs: number;
  [field: string]: unknown;
}

class Engine {
  readonly #config: NodeConfig;
  readonly #workers: WorkerHandle[] = [];
  /** Which worker serves a process that is away. */
  readonly #owners = new Map<number, WorkerHandle>();
  /** Those of them that are away, and do not just try to leave. */
  readonly #away = new Set<number>();
  readonly #returned = new Map<number, ReturnedProcess & { since: number }>();
  readonly #history = new CallHistory();
  readonly #moves = new Map<number, number>();
  /** CPU time of earlier stays, milliseconds. */
  readonly #usedAway = new Map<number, number>();
  readonly #rates = new Map<string, { forwarded: number; at: number; perSecond: number }>();
  readonly #events = new EventLog();

  constructor(config: NodeConfig) {
    this.#config = config;
    const listener = listenTcp(config.address, config.guestPort);
    const childEvents = childEventDescriptor();
    const bundled = import.meta.filename.endsWith('.cjs');
    const file = path.join(import.meta.dirname, bundled ? 'engine_worker.cjs' : 'worker.ts');
    for (let index = 0; index < workerCount; index++) {
      const { port1, port2 } = new MessageChannel();
      const wake = eventDescriptor();
      const settings: WorkerSettings = {
        index,
        preferred: config.balance,
        node: config.name,
        stateDir: config.stateDir,
        runDir: config.runDir,
        listener,
        wake,
        childEvents,
        port: port2,
      };
      const worker = new Worker(file, { workerData: settings, transferList: [port2] });
      worker.on('error', (error: Error) => this.#fatal(`worker ${index} failed: ${error.stack ?? error.message}`));
      worker.on('exit', (code) => this.#fatal(`worker ${index} ended with code ${code}`));
      const handle = new WorkerHandle(worker, port1, wake, (reply) => this.#onEvent(handle, reply));
      this.#workers.push(handle);
    }
  }

  #fatal(reason: string): void {
    log('engine.failed', { reason });
    kernel.call(nr.exit_group, 1);
  }

  #onEvent(worker: WorkerHandle, reply: WorkerReply): void {
    if ('log' in reply) log(reply.log, reply.fields);
    if ('handOver' in reply) this.#handOver(reply.handOver);
    if ('began' in reply) {
      const { pid, parent } = reply.began;
      this.#owners.set(pid, worker);
      this.#away.add(pid);
      this.#events.add(parent ? { event: 'born', pid, parent } : { event: 'left', pid });
    }
    if ('executed' in reply) this.#events.add({ event: 'executed', ...reply.executed });
    if (!('returned' in reply)) return;
    const { pid, cpuMs, how } = reply.returned;
    this.#owners.delete(pid);
    this.#away.delete(pid);
    this.#events.add({ event: 'used', pid, cpuMs });
    if (how === 'ended') this.#forget(pid);
    else {
      this.#returned.set(pid, { ...reply.returned, since: Date.now() });
      this.#usedAway.set(pid, (this.#usedAway.get(pid) ?? 0) + cpuMs);
      this.#history.add(reply.returned);
    }
    // One that came home to execute a program does so right now.
    if (how === 'executed' || reply.returned.reason.startsWith('execve')) this.#events.add({ event: 'executed', pid });
    else if (how === 'home' && reply.returned.reason !== byCommand) this.#events.add({ event: 'returned', pid });
    const oldest = this.#returned.keys().next();
    if (this.#returned.size > rememberedReturns && !oldest.done) this.#forget(oldest.value);
  }

  #forget(pid: number): void {
    this.#returned.delete(pid);
    this.#usedAway.delete(pid);
    this.#moves.delete(pid);
    this.#history.forget(pid);
  }

  #handOver({ worker, ...connection }: { worker: number; fd: number; from: string; ticket: string }): void {
    const taker = this.#workers[worker];
    if (taker) void taker.ask({ op: 'attach', ...connection }).catch(() => {});
    else kernel.call(nr.close, connection.fd);
  }

  async perform(request: ControlRequest, progress: (value: unknown) => void): Promise<unknown> {
    switch (request.op) {
      case 'hello':
        return {
          pid: process.pid,
          version: protocolVersion,
          node: this.#config.name,
          guestPort: this.#config.guestPort,
        };
      case 'migrate':
        return this.#migrate(pidOf(request), peerOf(request), progress);
      case 'home':
        return this.#ownerOf(pidOf(request)).ask({ op: 'home', pid: pidOf(request) }, progress);
      case 'release':
        return this.#ownerOf(pidOf(request)).ask({ op: 'release', pid: pidOf(request) });
      case 'ping':
        return this.#workers[0].ask({ op: 'ping', to: peerOf(request) });
      case 'list':
        return this.#list();
      case 'events':
        return this.#events.since(request.after);
      case 'calls':
        return this.#calls(pidOf(request));
      case 'expel':
        await this.#tellAll({ op: 'expel', reason: request.reason ?? 'it was sent home' });
        return {};
      case 'doors':
        await this.#tellAll({ op: 'doors', closed: request.reason });
        return {};
      case 'sets':
        return { sets: (request.pids ?? []).map((pid) => companionsOf(pid)) };
      case 'shutdown':
        await this.#tellAll({ op: 'leave' });
        // Not process.exit: it would wait for threads that sleep in the kernel.
        setTimeout(() => kernel.call(nr.exit_group, 0), 50);
        return {};
      default:
        throw new RequestError(
          'bad-request',
          `Cannot perform ${JSON.stringify(request.op)}: there is no such operation`,
        );
    }
  }

  async #tellAll(request: Parameters<WorkerHandle['ask']>[0]): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.ask(request)));
  }

  async #migrate(pid: number, to: Peer, progress: (value: unknown) => void): Promise<unknown> {
    if (this.#owners.has(pid)) {
      try {
        const result = await this.#ownerOf(pid).ask({ op: 'onward', pid, to }, progress);
        // cast: our own worker's answer
        if (!(result as MoveResult).already) this.#moves.set(pid, (this.#moves.get(pid) ?? 1) + 1);
        return result;
      } catch (error) {
        if (!(error instanceof RequestError && error.code === 'not-away')) throw error;
        // It came home by itself meanwhile, and leaves from there.
      }
    }
    const worker = this.#workerFor(pid);
    this.#owners.set(pid, worker);
    try {
      const result = await worker.ask({ op: 'migrate', pid, to }, progress);
      this.#moves.set(pid, (this.#moves.get(pid) ?? 0) + 1);
      return result;
    } catch (error) {
      // One that was just being born elsewhere could not leave from here, but is away meanwhile.
      if (!this.#away.has(pid)) this.#owners.delete(pid);
      throw error;
    }
  }

  /**
   * Always the same one for a process, which remembers what it did for it last time (socket_waits.ts), and the same one for
   * all that share memory: they leave together, and what they share is watched for others' opening it.
   */
  #workerFor(pid: number): WorkerHandle {
    const family = companionsOf(pid);
    const owner = family.map((each) => this.#owners.get(each)).find((each) => each !== undefined);
    return owner ?? this.#workers[Math.min(...family) % this.#workers.length];
  }

  #ownerOf(pid: number): WorkerHandle {
    const owner = this.#owners.get(pid);
    if (!owner) throw new RequestError('not-away', `Process ${pid} is not away`);
    return owner;
  }

  async #list(): Promise<unknown> {
    const lists = await Promise.all(this.#workers.map((worker) => worker.ask({ op: 'list' })));
    const parts = lists as { away: AwayEntry[]; guests: (AwayEntry & { hostPid: number })[] }[]; // cast: our own workers' answer
    const node = this.#config.name;
    const away = parts
      .flatMap((p) => p.away)
      .map((e) => ({
        ...e,
        home: node,
        moves: this.#moves.get(e.pid) ?? 1,
        cpuAwayMs: e.cpuAwayMs + (this.#usedAway.get(e.pid) ?? 0),
        forwardedPerSecond: this.#rate(`away ${e.pid}`, e.forwarded),
      }));
    const guests = parts
      .flatMap((p) => p.guests)
      .map((e) => ({
        ...e,
        where: node,
        memoryBytes: memoryOf(e.hostPid),
        forwardedPerSecond: this.#rate(`guest ${e.hostPid}`, e.forwarded),
        reason: '',
      }));
    const returned = [...this.#returned.values()]
      .filter((r) => fs.existsSync(`/proc/${r.pid}`) && !this.#owners.has(r.pid))
      .map((r) => ({
        pid: r.pid,
        uid: r.uid,
        comm: r.comm,
        where: node,
        home: node,
        threads: 0,
        memoryBytes: memoryOf(r.pid),
        moves: this.#moves.get(r.pid) ?? 1,
        cpuAwayMs: this.#usedAway.get(r.pid),
        forwarded: r.calls.reduce((sum, [, c]) => sum + c.count, 0),
        forwardedPerSecond: 0,
        state: 'home',
        reason: r.reason,
        since: r.since,
      }));
    return { away, guests, returned };
  }

  /** Calls per second since the last time somebody asked. */
  #rate(key: string, forwarded: number): number {
    const now = performance.now();
    const last = this.#rates.get(key);
    if (last && now - last.at < 200) return last.perSecond;
    // Each stay counts anew.
    const made = last && forwarded >= last.forwarded ? forwarded - last.forwarded : 0;
    const perSecond = last ? Math.round((made * 1000) / (now - last.at)) : 0;
    this.#rates.set(key, { forwarded, at: now, perSecond });
    return perSecond;
  }

  async #calls(pid: number): Promise<CallList> {
    const now = await this.#owners.get(pid)?.ask({ op: 'calls', pid });
    return this.#history.list(pid, (now as CallCounts | undefined) ?? []); // cast: our own worker's answer
  }
}

function pidOf(request: ControlRequest): number {
  if (!Number.isSafeInteger(request.pid) || request.pid! <= 0)
    throw new RequestError(
      'bad-request',
      `Cannot perform ${request.op}: ${JSON.stringify(request.pid)} is not a process id`,
    );
  return request.pid!;
}

function peerOf(request: ControlRequest): Peer {
  const { to } = request;
  if (typeof to?.name !== 'string' || typeof to.address !== 'string' || !Number.isInteger(to.guestPort))
    throw new RequestError('bad-request', `Cannot perform ${request.op}: it needs a node (name, address, guestPort)`);
  return { name: to.name, address: to.address, guestPort: to.guestPort };
}

function log(event: string, fields: Readonly<Record<string, unknown>>): void {
  const text = Object.entries(fields).map(
    ([key, value]) =>
      `${key}=${typeof value === 'string' && /[\s"]/.test(value) ? JSON.stringify(value) : String(value)}`,
  );
  process.stderr.write(`${new Date().toISOString()} ${event} ${text.join(' ')}\n`);
}

function serve(engine: Engine, socketPath: string): void {
  const server = net.createServer((socket) => {
    const reader = new JsonLineReader();
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      let lines: unknown[];
      try {
        lines = [...reader.feed(chunk)];
      } catch (error) {
        socket.end(jsonLine({ ok: false, error: { code: 'bad-request', message: String(error) } }));
        return;
      }
      for (const line of lines) answer(engine, socket, line as ControlRequest); // cast: checked by the operations
    });
  });
  fs.rmSync(socketPath, { force: true });
  const mask = process.umask(0o177);
  server.listen(socketPath, () => {
    process.umask(mask);
    log('engine.listens', { socket: socketPath });
  });
}

function answer(engine: Engine, socket: net.Socket, request: ControlRequest): void {
  const write = (value: unknown): void => {
    if (!socket.destroyed) socket.write(jsonLine(value));
  };
  const { id } = request;
  engine
    .perform(request, (progress) => write({ id, progress }))
    .then(
      (result) => write({ id, ok: true, result }),
      (error: unknown) =>
        write({
          id,
          ok: false,
          error: {
            code: error instanceof RequestError ? error.code : 'failed',
            message: error instanceof Error ? error.message : String(error),
          },
        }),
    );
}

/**
 * A worker collects its garbage itself: helpers of V8's would take CPUs from the programs and from each other for
 * milliseconds (`npm run bench -- guests`).
 */
function keepToItsThreads(): void {
  setFlagsFromString('--single-threaded-gc');
}

function main(): void {
  const at = process.argv.indexOf('--config');
  const config = loadConfig(configFile(at > 0 ? process.argv[at + 1] : undefined));
  selfTest();
  removeLeftCgroups();
  serveThisThreadSoon(config.balance);
  compileAfterOthers();
  keepToItsThreads();
  fs.mkdirSync(config.runDir, { recursive: true });
  new IdentityStore(config.stateDir).own(); // without a cluster there is nobody to link with
  const engine = new Engine(config);
  fs.writeFileSync(path.join(config.runDir, 'engine.pid'), `${process.pid}\n`);
  serve(engine, path.join(config.runDir, 'engine.sock'));
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => void engine.perform({ id: 0, op: 'shutdown' }, () => {}));
  }
}

main();
