/** One engine worker: an OS thread that traces, serves and moves its share of processes. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { isMainThread, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { acceptTcp, drain, EPOLLEXCLUSIVE, EPOLLIN, peerAddress } from '../sys/descriptors.ts';
import { limitLog, type Log } from '../lib/limit_log.ts';
import { selfTest } from '../sys/kernel.ts';
import { serveThisThreadSoon } from '../sys/priority.ts';
import { SystemCallError } from '../sys/errors.ts';
import { frameType } from '../wire/frames.ts';
import { Handshake, HandshakeError } from '../wire/handshake.ts';
import { Blanks } from './host/blanks.ts';
import { Guest } from './host/arrival.ts';
import type { HostContext } from './host/host_context.ts';
import { StaysHome } from './image/stays_home.ts';
import type { Absence, HomeContext } from './home/absence.ts';
import { AdoptedMemory } from './home/adopted_memory.ts';
import { ClusterKey } from './cluster_key.ts';
import { Convoy } from './home/convoy.ts';
import { Departure } from './home/departure.ts';
import { OnwardCompany } from './home/onward_company.ts';
import type { Peer, Progress, Traveller } from './image/departure_types.ts';
import { Doorbells } from './doorbells.ts';
import { FileCache } from './host/file_cache.ts';
import { CannotFreeze } from './task/freeze.ts';
import { frameJson, GuestLink, LinkClosed, type Frame } from './link/link.ts';
import { DeadlineExceeded, Loop } from './link/loop.ts';
import { companionsOf, FamilyChanged } from './home/sole_mapper.ts';
import { DepartureNotes, takeBackUnfinished } from './home/unfinished.ts';
import type { WorkerRequest, WorkerReply, WorkerSettings } from './worker_messages.ts';

const handshakeDeadline = 5000;
/** Connections in the handshake. More: more memory for strangers; fewer: easier to crowd peers out. */
const maximumUnproven = 64;
/** Processes that leave together. All of them stand still until the last one is ready. */
const mostCompanions = 64;
const mostAttempts = 20;
/** By each worker. Strangers cause these lines: they must not be able to fill the disk. */
const refusalsLoggedPerMinute = 30;

class EngineWorker {
  readonly #settings: WorkerSettings;
  readonly #loop: Loop;
  readonly #leaving = new Map<number, Departure>();
  readonly #away = new Map<number, Absence>();
  readonly #guests = new Set<Guest>();
  readonly #unproven = new Set<GuestLink>();
  readonly #home: HomeContext;
  readonly #host: HostContext<Guest>;
  readonly #logRefusal: Log;
  #guestNumber = 0;

  constructor(settings: WorkerSettings) {
    this.#settings = settings;
    this.#loop = new Loop(settings.childEvents);
    this.#loop.failed = (error) =>
      this.#post({
        log: 'worker.exception',
        fields: { error: error instanceof Error ? (error.stack ?? error.message) : String(error) },
      });
    const log = (event: string, fields: Readonly<Record<string, unknown>>): void => this.#post({ log: event, fields });
    this.#logRefusal = limitLog((event, fields = {}) => log(event, fields), refusalsLoggedPerMinute);
    const key = new ClusterKey(settings.stateDir);
    const notes = new DepartureNotes(settings.runDir);
    this.#home = {
      loop: this.#loop,
      node: settings.node,
      get key() {
        return key.current;
      },
      notes,
      log,
      began: (absence) => {
        this.#away.set(absence.pid, absence);
        this.#post({ began: { pid: absence.pid, parent: absence.parent } });
      },
      executed: (pid, parent) => this.#post({ executed: { pid, parent } }),
      finished: (absence, how) => {
        this.#away.delete(absence.pid);
        this.#post({
          returned: {
            pid: absence.pid,
            uid: absence.uid,
            comm: absence.command,
            from: absence.peer.name,
            reason: absence.reason,
            calls: absence.calls,
            cpuMs: absence.cpuTimeAway / 1e6,
            how,
          },
        });
      },
    };
    this.#host = {
      loop: this.#loop,
      blanks: new Blanks(this.#loop, () => settings.index * 100_000 + (this.#guestNumber++ % 100_000)),
      files: new FileCache(),
      node: settings.node,
      get key() {
        return key.current;
      },
      runDir: settings.runDir,
      companies: new Map(),
      closed: undefined,
      ticket: () => `${settings.index}.${randomBytes(16).toString('hex')}`,
      log,
      born: (guest) => void this.#guests.add(guest),
      finished: (guest) => void this.#guests.delete(guest),
    };
    const doorbells = new Doorbells(this.#loop, () => [...this.#away.values()].map((a) => a.deputy));
    this.#loop.doze = doorbells;
    this.#loop.addPoller(() => {
      let found = false;
      for (const { deputy } of this.#away.values()) found = deputy.poll() || found;
      return found;
    });
    this.#loop.watch(settings.wake, EPOLLIN, () => this.#receive());
    this.#loop.watch(settings.listener, (EPOLLIN | EPOLLEXCLUSIVE) >>> 0, () => this.#accept());
  }

  run(): Promise<void> {
    if (this.#settings.index === 0) {
      const { notes, log } = this.#home;
      this.#loop.start(
        () => takeBackUnfinished(this.#loop, notes, log),
        (error) => log('process.not-cleaned', { reason: String(error) }),
      );
    }
    return this.#loop.run();
  }

  #post(reply: WorkerReply): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a MessagePort, not a window
    parentPort!.postMessage(reply);
  }

  #receive(): void {
    drain(this.#settings.wake);
    for (
      let message = receiveMessageOnPort(this.#settings.port);
      message;
      message = receiveMessageOnPort(this.#settings.port)
    ) {
      const request = message.message as WorkerRequest; // cast: our own main thread sends nothing else
      this.#loop.start(
        async () => this.#post({ id: request.id, result: await this.#perform(request) }),
        (error) =>
          this.#post({
            id: request.id,
            error: { code: codeOf(error), message: error instanceof Error ? error.message : String(error) },
          }),
      );
    }
  }

  async #perform(request: WorkerRequest): Promise<unknown> {
    switch (request.op) {
      case 'migrate':
        return this.#migrate(request.id, request.pid, request.to);
      case 'home':
        return this.#absence(request.pid).recall(this.#progress(request.id));
      case 'onward':
        return this.#onward(request.id, request.pid, request.to);
      case 'attach':
        return this.#attach(GuestLink.over(this.#loop, request.fd, request.from), request.ticket);
      case 'release':
        return { bytes: this.#absence(request.pid).release() };
      case 'calls':
        await this.#away.get(request.pid)?.look();
        return this.#away.get(request.pid)?.calls ?? [];
      case 'ping':
        return this.#ping(request.to);
      case 'list':
        await Promise.all([...this.#away.values()].map((absence) => absence.look()));
        return {
          away: [...this.#away.values(), ...this.#leaving.values()].map(describe),
          guests: [...this.#guests].flatMap((g) => g.status() ?? []),
        };
      case 'expel':
        for (const guest of this.#guests) guest.expel(request.reason);
        return {};
      case 'doors':
        this.#host.closed = request.closed;
        return {};
      case 'leave':
        return this.#leave();
    }
  }

  #absence(pid: number): Absence {
    const absence = this.#away.get(pid);
    if (this.#leaving.has(pid)) throw new CannotFreeze(pid, 'busy', 'it is leaving');
    if (!absence) throw new NotAway(pid);
    return absence;
  }

  async #migrate(id: number, pid: number, to: Peer): Promise<unknown> {
    if (!fs.existsSync(`/proc/${pid}`)) throw new CannotFreeze(pid, 'no-such-process', 'there is no such process');
    for (let attempt = 1; ; attempt++) {
      const pids = companionsOf(pid);
      try {
        return await this.#departAll(pids, to, this.#progress(id));
      } catch (error) {
        if (!fs.existsSync(`/proc/${pid}`)) throw new CannotFreeze(pid, 'no-such-process', 'it has ended');
        // A family that shares memory may grow or shrink before all of it stands still.
        const changed = error instanceof FamilyChanged || companionsOf(pid).join() !== pids.join();
        if (attempt === mostAttempts || !changed) throw error;
        await this.#loop.sleep(attempt);
      }
    }
  }

  /** The first of them, and those that share its memory. */
  async #departAll(pids: readonly number[], to: Peer, progress: Progress): Promise<unknown> {
    const [pid] = pids;
    const away = pids.find((each) => this.#away.has(each) || this.#leaving.has(each));
    // It is just being born, or they leave or come home this moment: those that share memory are never apart for long.
    if (away !== undefined)
      throw new CannotFreeze(pid, 'busy', `it shares memory with process ${away}, which is not here`);
    if (pids.length > mostCompanions) throw new StaysHome(pid, `it shares memory with ${pids.length - 1} processes`);
    using _memory = await AdoptedMemory.of(this.#loop, pids);
    const convoy = pids.length > 1 ? new Convoy(this.#loop, pids) : undefined;
    const [first, ...others] = pids.map((each) => new Departure(this.#home, each, to, convoy));
    const done = Promise.allSettled(others.map((other) => this.#leaveWith(other, convoy, () => {})));
    try {
      return await this.#leaveWith(first, convoy, progress);
    } finally {
      await done; // if one fails all do, and the first one says why
    }
  }

  async #leaveWith(departure: Departure, convoy: Convoy | undefined, progress: Progress): Promise<unknown> {
    this.#leaving.set(departure.pid, departure);
    try {
      return await departure.leave(progress);
    } catch (error) {
      convoy?.fail(error instanceof Error ? error : new Error(String(error)));
      throw error;
    } finally {
      this.#leaving.delete(departure.pid);
    }
  }

  /** With those that share its memory. */
  async #onward(id: number, pid: number, to: Peer): Promise<unknown> {
    for (let attempt = 1; ; attempt++) {
      const absence = this.#absence(pid);
      if (absence.staysAt(to)) return { pid, to: to.name, freezeMs: 0, totalMs: 0, bytes: 0, already: true };
      const pids = absence.company;
      try {
        return await this.#moveOn(absence, to, this.#progress(id));
      } catch (error) {
        // Some of them may have been born, or ended, before all of them stood still.
        if (attempt === mostAttempts || absence.company.join() === pids.join()) throw error;
        await this.#loop.sleep(attempt);
      }
    }
  }

  async #moveOn(absence: Absence, to: Peer, progress: Progress): Promise<unknown> {
    const pids = absence.company;
    if (pids.length === 1) return absence.moveOn(to, progress);
    const company = new OnwardCompany(this.#loop, pids);
    const moves = pids.map(async (pid) => {
      try {
        return await this.#absence(pid).moveOn(to, progress, company);
      } catch (error) {
        company.fail(error instanceof Error ? error : new Error(String(error)));
        throw error;
      }
    });
    const [result] = await Promise.allSettled([moves[pids.indexOf(absence.pid)], ...moves]);
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  }

  /**
   * Passes on how far a request has come, ten times a second. No more often, also where another phase begins: to be told
   * wakes processes that may take the CPU away while the program stands still.
   */
  #progress(id: number): Progress {
    let last = -Infinity;
    return (phase, bytes, total) => {
      if (performance.now() - last < 100) return;
      last = performance.now();
      this.#post({ id, progress: { phase, bytes, total } });
    };
  }

  async #ping(to: Peer): Promise<unknown> {
    const start = performance.now();
    const link = await GuestLink.connect(this.#loop, to, handshakeDeadline);
    const machine = new Handshake({ role: 'client', purpose: 'guest', name: this.#settings.node, key: this.#home.key });
    await link.authenticate(machine, handshakeDeadline);
    link.close();
    return { rttMs: performance.now() - start, node: machine.peer?.name, version: machine.peer?.version };
  }

  /** Everything goes where it belongs: own processes come home, guests are sent home. */
  async #leave(): Promise<unknown> {
    for (const guest of this.#guests) guest.leave('its host stops');
    await Promise.allSettled([...this.#away.values()].map((a) => a.recall(() => {})));
    for (let waited = 0; this.#guests.size && waited < 30_000; waited += 20) await this.#loop.sleep(20);
    await this.#host.blanks.close();
    return {};
  }

  /** Home opens with what it wants to send here; another hosting node with the ticket of a body that it brings. */
  #onFirstFrame(link: GuestLink, frame: Frame, from: string): void {
    if (frame.type !== frameType.attach) {
      const guest = new Guest(this.#host, link);
      this.#guests.add(guest);
      return guest.onFrame(frame);
    }
    const { ticket } = frameJson<{ ticket: string }>(frame);
    const worker = Number.parseInt(ticket, 10);
    if (worker === this.#settings.index) this.#attach(link, ticket);
    // The body is traced by another worker: the connection goes there.
    else this.#post({ handOver: { worker, fd: link.release(), from, ticket } });
  }

  #attach(link: GuestLink, ticket: string): void {
    const guest = [...this.#guests].find((g) => g.admits(ticket));
    if (guest) {
      link.peerPatience = 'frozen';
      guest.attach(link);
    } else link.close(new LinkClosed(link.peer, 'it shows a ticket that nobody has given out'));
  }

  #accept(): void {
    const fd = acceptTcp(this.#settings.listener);
    if (fd < 0) return;
    const from = peerAddress(fd);
    const link = GuestLink.over(this.#loop, fd, from);
    // A peer needs a millisecond for its handshake: who is longest in it is a stranger.
    const [oldest] = this.#unproven;
    if (this.#unproven.size >= maximumUnproven) oldest?.close(new LinkClosed(oldest.peer, 'too many strangers'));
    this.#unproven.add(link);
    link.onClose(() => this.#unproven.delete(link));
    this.#loop.start(
      async () => {
        const { node, key } = this.#home;
        const machine = new Handshake({ role: 'server', purpose: 'guest', name: node, key });
        await link.authenticate(machine, handshakeDeadline);
        this.#unproven.delete(link);
        let used = false;
        link.onClose(({ message }) => used || this.#logRefusal('link.unused', { from, reason: message }));
        link.onFrame = (frame) => {
          used = true;
          this.#onFirstFrame(link, frame, from);
        };
      },
      (error) => {
        this.#logRefusal('link.refused', { from, reason: error instanceof Error ? error.message : String(error) });
        link.close();
      },
    );
  }
}

class NotAway extends Error {
  constructor(pid: number) {
    super(`Process ${pid} is not away`);
    this.name = 'NotAway';
  }
}

function describe(t: Traveller): unknown {
  return {
    pid: t.pid,
    uid: t.uid,
    comm: t.command,
    where: t.peer.name,
    threads: t.threads,
    forwarded: t.served,
    memoryBytes: t.memoryBytes,
    cpuAwayMs: t.cpuTimeAway / 1e6,
    state: t.state,
    since: t.since,
    reason: t.reason,
  };
}

/** The error codes of the control protocol. */
function codeOf(error: unknown): string {
  if (error instanceof CannotFreeze) return error.code;
  if (error instanceof StaysHome) return 'stays-home';
  if (error instanceof NotAway) return 'not-away';
  if (error instanceof HandshakeError) return error.code;
  if (error instanceof LinkClosed) return 'node-unreachable';
  if (error instanceof DeadlineExceeded) return 'node-unreachable';
  if (error instanceof SystemCallError && error.code === 'ESRCH') return 'no-such-process';
  return 'failed';
}

if (!isMainThread) {
  selfTest();
  const settings = workerData as WorkerSettings; // cast: engine.ts gives nothing else
  serveThisThreadSoon(settings.preferred);
  void new EngineWorker(settings).run();
}
