/**
 * The home side of a stay away: prepare, freeze, send, commit, serve, take back.
 * Until the hosting node says `ready` the process is untouched, apart from being stopped; whatever fails before, it goes on.
 */
import { kernel } from '../sys/kernel.ts';
import { mappings, resourceLimits, status as procStatus, commandName } from '../sys/procfs.ts';
import { type StoppedTask, type TaskStatus } from '../sys/ptrace.ts';
import { nr } from '../sys/x64/numbers.ts';
import { Handshake } from '../wire/handshake.ts';
import { frameType, protocolVersion } from '../wire/frames.ts';
import {
  captureImage,
  contentRanges,
  identifyByStat,
  interruptedSignals,
  readAddressSpace,
  refuseProcess,
  StaysHome,
  vdsoOf,
  type AddressSpace,
  type IdentifyFile,
} from './capture.ts';
import { measureClockOffsets } from './clock_exchange.ts';
import { Deputy } from './deputy.ts';
import type { MigrationResult, MigrationStep, Peer, Progress, ReturnResult } from './departure_types.ts';
import { FileSupply } from './file_supply.ts';
import { assertAlive, freezeProcess, thaw, type FrozenTask } from './freeze.ts';
import { specialNames, type Preparation, type ProcessImage } from './image.ts';
import { frameJson, GuestLink, type Frame } from './link.ts';
import type { Loop } from './loop.ts';
import { sendPages, writePages } from './page_stream.ts';
import { drainSignals, newSignals, queueSignals } from './pending_signals.ts';
import { recorderAction, recorderCalls } from './recorder.ts';
import { setMemoryLimits } from './restore.ts';
import { layout, Stub, type InjectedCall } from './stub.ts';
import { adoptAddressSpace, resumeAtHome } from './take_back.ts';

export interface HomeContext {
  loop: Loop;
  node: string;
  key: Uint8Array;
  log: (event: string, fields: Readonly<Record<string, unknown>>) => void;
  /** The process is no longer away (home again, or ended). */
  finished: (departure: Departure, how: string) => void;
}

/** While the deputy is parked, bounce memory and large calls must find room. */
const noLimits: [string, string][] = Array.from({ length: 16 }, () => ['18446744073709551615', '18446744073709551615']);
const holdMilliseconds = 3000;
const connectDeadline = 5000;
const answerDeadline = 30_000;

export class Departure {
  readonly pid: number;
  readonly peer: Peer;
  readonly #context: HomeContext;
  readonly #identify: IdentifyFile;
  readonly #supply: FileSupply;
  #link: GuestLink | undefined;
  #deputy: Deputy | undefined;
  #space: AddressSpace | undefined;
  #image: ProcessImage | undefined;
  /** The program's own limits, as they were when it was frozen. */
  #limits: [string, string][] = [];
  #state: 'leaving' | 'away' | 'returning' | 'gone' = 'leaving';
  #returned: { resolve: (r: ReturnResult) => void; reject: (e: Error) => void }[] = [];
  #homecoming:
    | {
        image: ProcessImage;
        reason: string;
        frozenFor: number;
        start: number;
        bytes: number;
        calls: [string, { count: number; milliseconds: number }][];
      }
    | undefined;
  readonly since = Date.now();
  readonly uid: number;
  readonly command: string;
  moves = 1;
  /** Calls the body made, for `mosix calls`; filled when it comes home. */
  calls: [string, { count: number; milliseconds: number }][] = [];
  reason = '';

  constructor(context: HomeContext, pid: number, peer: Peer) {
    this.#context = context;
    this.pid = pid;
    this.peer = peer;
    this.#identify = identifyByStat(context.node);
    this.#supply = new FileSupply({ loop: context.loop, node: context.node, pid, identify: this.#identify });
    this.uid = Number(procStatus(pid).get('Uid')?.split('\t')[1] ?? 0);
    this.command = commandName(pid);
  }

  get state(): string {
    return this.#deputy?.stopped ? 'stopped' : this.#state;
  }

  get served(): number {
    return this.#deputy?.served ?? 0;
  }

  get threads(): number {
    return this.#deputy?.threadIds.length ?? 0;
  }

  // ---- leaving ----

  /** Moves the process. @throws any error that leaves it running at home */
  async leave(progress: Progress): Promise<MigrationResult> {
    const start = performance.now();
    const { loop, node, key } = this.#context;
    refuseProcess(this.pid);
    progress('connect', 0, 0);
    const link = await GuestLink.connect(loop, this.peer, connectDeadline);
    this.#link = link;
    try {
      await link.authenticate(new Handshake({ role: 'client', purpose: 'guest', name: node, key }), connectDeadline);
      await this.#step('connected');
      const stubBase = await this.#prepare(link, progress);
      await this.#step('prepared');
      return await this.#freezeAndGo(link, { stubBase, start, progress });
    } catch (error) {
      if (this.#state === 'leaving') {
        this.#state = 'gone';
        if (!link.closed) link.sendJson(frameType.abort, { reason: String(error) });
        link.close();
        this.#supply.files.free();
      }
      throw error;
    }
  }

  /**
   * A step of the migration has been done. With `MOSIX_HOLD_AT=step` in the engine's environment the migration waits
   * here for a while (and says so in the log): that is how a test breaks it at each step.
   */
  async #step(name: MigrationStep): Promise<void> {
    if (process.env['MOSIX_HOLD_AT'] !== name) return;
    this.#context.log('process.held', { pid: this.pid, step: name });
    await this.#context.loop.sleep(holdMilliseconds);
    if (this.#link?.closed) throw this.#link.closed;
  }

  async #prepare(link: GuestLink, progress: Progress): Promise<number> {
    const space = readAddressSpace(this.pid, { identify: this.#identify, own: [], flags: true });
    const stubBase = freeStubBase(this.pid);
    const preparation: Preparation & { version: number } = {
      version: protocolVersion,
      pid: this.pid,
      uid: this.uid,
      realUid: Number(procStatus(this.pid).get('Uid')?.split('\t')[0] ?? 0),
      command: this.command,
      home: this.#context.node,
      stubBase,
      files: this.#supply.announce(space),
      clockOffsets: await measureClockOffsets(link),
      vdso: vdsoOf(this.pid),
      cpuFeatures: '',
      moves: this.moves,
    };
    await this.#supply.send(link, preparation, progress);
    return stubBase;
  }

  async #freezeAndGo(
    link: GuestLink,
    options: { stubBase: number; start: number; progress: Progress },
  ): Promise<MigrationResult> {
    const { loop } = this.#context;
    options.progress('freeze', 0, 0);
    const frozenAt = performance.now();
    const frozen = await freezeProcess(loop, this.pid);
    let stub: Stub | undefined;
    let sent = 0;
    try {
      await this.#step('frozen');
      const main = frozen[0].task;
      this.#limits = resourceLimits(this.pid);
      stub = Stub.install(main, this.pid, { base: options.stubBase });
      setMemoryLimits(this.pid, noLimits);
      {
        using session = stub.borrow(main);
        stub.mapBounce(session);
      }
      const image = await this.#capture(link, stub, frozen, options.progress);
      await this.#step('captured');
      link.sendJson(frameType.image, image);
      await this.#step('image-sent');
      const ranges = contentRanges(this.pid, image.mappings);
      const total = ranges.reduce((sum, r) => sum + r.length, 0);
      const ready = link.expect([frameType.ready, frameType.abort], answerDeadline);
      // The answer may fail while pages are still being sent: that must not go unhandled.
      ready.catch(() => {});
      sent = await sendPages(link, this.pid, ranges, (bytes) => options.progress('pages', bytes, total));
      await this.#step('pages-sent');
      const { type, text } = await ready;
      await this.#step('ready');
      if (type === frameType.abort) {
        // cast: the peer has proved the cluster's key, and the reason is only shown
        const { reason } = JSON.parse(text) as { reason: string };
        throw new StaysHome(this.pid, `node ${this.peer.name} gave up: ${reason}`);
      }
      assertAlive(frozen);
    } catch (error) {
      this.#goOnAtHome(stub, frozen);
      throw error;
    }
    link.sendFrame(frameType.go, 0);
    const freezeMs = performance.now() - frozenAt;
    this.#park(link, stub, frozen);
    options.progress('resume', sent, sent);
    const result = {
      pid: this.pid,
      to: this.peer.name,
      freezeMs,
      totalMs: performance.now() - options.start,
      bytes: sent,
      threads: frozen.length,
    };
    this.#context.log('process.left', { ...result });
    return result;
  }

  async #capture(
    link: GuestLink,
    stub: Stub,
    frozen: readonly FrozenTask[],
    progress: Progress,
  ): Promise<ProcessImage> {
    const own = [{ address: stub.base, length: layout.size }, stub.bounceRange];
    const space = readAddressSpace(this.pid, { identify: this.#identify, own, flags: true });
    if (!this.#supply.knows(space)) {
      const more = { version: protocolVersion, files: this.#supply.announce(space) };
      await this.#supply.send(link, more, progress);
    }
    this.#space = space;
    const image = captureImage(stub, frozen, space, (tid) => frozen.find(({ task }) => task.tid === tid)?.waited);
    image.limits = this.#limits;
    this.#image = image;
    return image;
  }

  /** Nothing has happened: the threads continue as if they had never been stopped. */
  #goOnAtHome(stub: Stub | undefined, frozen: readonly FrozenTask[]): void {
    try {
      const main = frozen[0].task;
      if (this.#limits.length) setMemoryLimits(this.pid, this.#limits);
      if (stub) {
        const threads = frozen.map(({ task }) => ({ tid: task.tid, task }));
        queueSignals(stub, this.pid, threads, interruptedSignals(this.pid, frozen));
        stub.remove(main);
        thaw(frozen.map(({ task }) => ({ task })));
      } else thaw(frozen);
    } catch (error) {
      this.#context.log('process.thaw-failed', { pid: this.pid, reason: String(error) });
    }
  }

  #park(link: GuestLink, stub: Stub, frozen: readonly FrozenTask[]): void {
    const { loop } = this.#context;
    const image = this.#image!;
    const held = BigInt('0x' + image.heldSignals);
    const deputy = new Deputy({
      pid: this.pid,
      stub,
      link,
      loop,
      held,
      events: { ended: (status) => this.#onEnded(status) },
    });
    this.#deputy = deputy;
    // What waited here at the capture waits in the body now; the rest came since.
    const taken = drainSignals(
      stub,
      frozen.map(({ task }) => task),
      held,
    );
    const since = newSignals(taken, image.signals.slice(interruptedSignals(this.pid, frozen).length));
    frozen.forEach(({ task }, index) => {
      {
        using session = stub.borrow(task);
        const thread = image.threads[index];
        const calls: InjectedCall[] = [
          [nr.set_tid_address, 0],
          [nr.set_robust_list, 0, 24],
        ];
        const RSEQ_UNREGISTER = 1;
        if (thread.rseq)
          calls.push([nr.rseq, thread.rseq.pointer, thread.rseq.size, RSEQ_UNREGISTER, thread.rseq.signature]);
        if (index === 0) calls.push(...recorderCalls(stub, image.actions));
        session.run(calls);
      }
      deputy.park(task);
    });
    this.#state = 'away';
    link.onFrame = (frame) => this.#onFrame(deputy, frame);
    link.onClose((error) => this.#onLinkLost(error));
    for (const signal of since) deputy.passOn(signal);
  }

  // ---- away ----

  /** For the worker: finished calls. */
  poll(): boolean {
    return this.#deputy?.poll() ?? false;
  }

  get deputy(): Deputy | undefined {
    return this.#state === 'gone' ? undefined : this.#deputy;
  }

  #onFrame(deputy: Deputy, frame: Frame): void {
    switch (frame.type) {
      case frameType.request:
        return deputy.onRequest(frame);
      case frameType.largeRequest:
        return deputy.onLargeRequest(frame);
      case frameType.bulk:
        return deputy.onBulk(frame);
      case frameType.interrupt:
        return deputy.interrupt(frame.id);
      case frameType.thread:
        return deputy.reply(frame.id, deputy.createThread(frameJson<{ tid: number }>(frame).tid));
      case frameType.threadEnded: {
        const { tid, code } = frameJson<{ tid: number; code: number }>(frame);
        return deputy.endThread(tid, code);
      }
      case frameType.mirrorAction: {
        const { tid, signal, action } = frameJson<{ tid: number; signal: number; action: string }>(frame);
        return deputy.mirrorAction(tid, frame.id, signal, Buffer.from(action, 'base64'));
      }
      case frameType.signalTaken:
        return deputy.takeStop(frameJson<{ signal: number }>(frame).signal);
      case frameType.mapFile:
        return this.#supply.onWish(this.#link!, frame.id, frameJson(frame));
      case frameType.homecoming:
        return this.#onHomecoming(deputy, frameJson(frame));
      case frameType.pages:
        if (this.#homecoming) this.#homecoming.bytes += writePages(this.pid, frame);
        return;
      case frameType.pagesEnd:
        return this.#onHome(deputy);
      case frameType.ended:
        return this.#onBodyEnded(frameJson<TaskStatus>(frame));
      default:
        throw new RangeError(`Cannot take a frame of type ${frame.type} from node ${this.peer.name}`);
    }
  }

  /** The body ended by itself: so does the deputy, in the same way. */
  #onBodyEnded(status: TaskStatus): void {
    if (status.kind === 'killed') this.#killDeputy(status.signal);
  }

  #killDeputy(signal: number): void {
    const deputy = this.#deputy;
    if (!deputy) return;
    if (this.#state === 'returning') {
      // Its threads are stopped already, with half of the body's memory: nothing but the end is left.
      kernel.call(nr.kill, this.pid, 9);
      return this.#close('ended');
    }
    const tasks = deputy.takeApart();
    const main = tasks[0];
    if (main && signal !== 9) {
      using session = deputy.stub.borrow(main);
      deputy.stub.writeAction(0, recorderAction(deputy.stub, 0n, 0n));
      session.run([
        [nr.rt_sigaction, signal, deputy.stub.scratchAddress(0), 0, 8],
        [nr.kill, this.pid, signal],
      ]);
      main.setSignalMask(0n);
    }
    for (const task of tasks) task.detach();
    if (signal === 9) kernel.call(nr.kill, this.pid, 9);
    this.#close('ended');
  }

  /** The deputy has ended: by exit_group of the body, or killed. */
  #onEnded(status: TaskStatus): void {
    this.#context.log('process.ended', { pid: this.pid, status: JSON.stringify(status), calls: this.served });
    this.#link?.sendJson(frameType.ended, status);
    this.#close('ended');
  }

  #onLinkLost(error: Error): void {
    const deputy = this.#deputy;
    if (this.#state === 'gone' || !deputy) return;
    if (this.#homecoming === undefined && deputy.served === 0) {
      // The body never reached us: nothing that it did can be seen by anybody, and our memory is as it was.
      this.#context.log('process.resumed', { pid: this.pid, reason: error.message });
      this.reason = `node ${this.peer.name} was lost before its first call; it goes on from here`;
      resumeUntouched(deputy, this.#image!);
      setMemoryLimits(this.pid, this.#limits);
      return this.#close('home');
    }
    this.#context.log('process.lost', { pid: this.pid, node: this.peer.name, reason: error.message });
    this.reason = `node ${this.peer.name} was lost: ${error.message}`;
    this.#killDeputy(9);
  }

  /** Gives stale memory back to the node. @returns bytes */
  release(): number {
    if (!this.#deputy || !this.#space || this.#state !== 'away')
      throw new Error(`Cannot release the memory of process ${this.pid}: it is not away`);
    return this.#deputy.release(this.#space.mappings.filter((m) => !m.shared && !specialNames.has(m.name)));
  }

  // ---- coming home ----

  /** Asks the hosting node to send the process home. */
  recall(): Promise<ReturnResult> {
    const promise = this.#context.loop.promise<ReturnResult>(
      (resolve, reject) => void this.#returned.push({ resolve, reject }),
    );
    if (this.#state === 'away') this.#link!.sendFrame(frameType.recall, 0);
    else if (this.#state !== 'returning')
      for (const waiter of this.#returned.splice(0))
        waiter.reject(new Error(`Cannot bring process ${this.pid} home: it is ${this.#state}`));
    return promise;
  }

  #onHomecoming(
    deputy: Deputy,
    message: {
      image: ProcessImage;
      reason: string;
      frozenFor: number;
      signalsReceived: number;
      calls: [string, { count: number; milliseconds: number }][];
    },
  ): void {
    this.#state = 'returning';
    this.#homecoming = { ...message, start: performance.now(), bytes: 0 };
    this.calls = message.calls;
    this.reason = message.reason;
    const tasks = deputy.takeApart();
    this.#tasks = tasks;
    message.image.signals.push(...deputy.signalsAfter(message.signalsReceived));
    adoptAddressSpace(deputy.stub, tasks[0], message.image, { files: this.#supply.files, identify: this.#identify });
  }

  #tasks: StoppedTask[] = [];

  #onHome(deputy: Deputy): void {
    const home = this.#homecoming!;
    resumeAtHome(deputy.stub, this.#tasks, home.image);
    setMemoryLimits(this.pid, home.image.limits);
    const freezeMs = performance.now() - home.start + home.frozenFor;
    const result = { pid: this.pid, from: this.peer.name, freezeMs, totalMs: freezeMs, bytes: home.bytes };
    this.#context.log('process.home', { ...result, reason: home.reason });
    this.#link!.sendFrame(frameType.ready, 0);
    for (const waiter of this.#returned.splice(0)) waiter.resolve(result);
    this.#close('home');
  }

  #close(how: string): void {
    if (this.#state === 'gone') return;
    this.#state = 'gone';
    for (const waiter of this.#returned.splice(0))
      waiter.reject(new Error(`Process ${this.pid} ended before it came home`));
    if (how !== 'home') this.#deputy?.stub.release();
    this.#supply.files.free();
    const link = this.#link!;
    // What is still queued (the last frame) may go out first.
    this.#context.loop.start(
      () =>
        link
          .drained()
          .catch(() => {})
          .then(() => link.close()),
      () => {},
    );
    this.#context.finished(this, how);
  }
}

/** Home's place for the stub, chosen while the process still runs; installing it there may fail if it maps it meanwhile. */
function freeStubBase(pid: number): number {
  const maps = mappings(pid);
  for (let base = 0x100000; base < 0x40000000; base += 0x40000) {
    if (!maps.some((m) => m.start < base + layout.size && m.end > base)) return base;
  }
  throw new StaysHome(pid, 'no free address below 1 GB');
}

/** The deputy's memory is as it was: put the threads back to where they were stopped. */
function resumeUntouched(deputy: Deputy, image: ProcessImage): void {
  const tasks = deputy.takeApart();
  image.signals.push(...deputy.signalsAfter(0));
  resumeAtHome(deputy.stub, tasks, image);
}
