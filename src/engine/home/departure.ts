/**
 * The home side of a stay away: prepare, freeze, send, commit, serve, take back.
 * Until the hosting node says `ready` the process is untouched, apart from being stopped; whatever fails before, it goes on.
 */
import {
  commandName,
  descriptorTargets,
  livingThread,
  mappings,
  resourceLimits,
  signalfdMask,
  signalSets,
  status as procStatus,
} from '../../sys/procfs.ts';
import type { StoppedTask } from '../../sys/ptrace.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { frameType, protocolVersion } from '../../wire/frames.ts';
import { Absence, type HomeContext } from './absence.ts';
import {
  captureState,
  contentRanges,
  identifyByStat,
  interruptedSignals,
  readAddressSpace,
  refuseProcess,
  refuseThreads,
  type IdentifyFile,
} from '../image/capture.ts';
import { StaysHome } from '../image/stays_home.ts';
import type { MigrationResult, MigrationStep, Peer, Progress, Traveller } from '../image/departure_types.ts';
import { FileSupply } from './file_supply.ts';
import { SIGCONT } from '../task/default_actions.ts';
import { assertAlive, CannotFreeze, freezeProcess } from '../task/freeze.ts';
import { thaw } from '../task/thaw.ts';
import type { FrozenTask } from '../task/frozen_task.ts';
import type { Convoy } from './convoy.ts';
import { refuseBusyRings } from './idle_rings.ts';
import { holdAt } from './hold.ts';
import type { ProcessImage, SpaceImage, StateImage } from '../image/image.ts';
import type { GuestLink } from '../link/link.ts';
import { packSpace } from '../image/packed_space.ts';
import { sendPages } from '../image/page_stream.ts';
import { bitOf, drainSignals, newSignals, queueSignals, stillDue } from '../image/pending_signals.ts';
import { connectHost } from '../image/dial.ts';
import { prepareHost } from './preparation.ts';
import { memoryOf } from '../task/memory_use.ts';
import { recorderCalls } from './recorder.ts';
import { setMemoryLimits } from '../image/restore.ts';
import { refuseSharers, writtenBy } from './sole_mapper.ts';
import { withSpareDescriptors } from '../task/spare_descriptors.ts';
import { layout, Stub, type InjectedCall } from '../task/stub.ts';
import { keepTimers, stopTimers, withoutTimers } from '../image/timers.ts';

/** While the deputy is parked, bounce memory and large calls must find room. */
const noLimits: [string, string][] = Array.from({ length: 16 }, () => ['18446744073709551615', '18446744073709551615']);
const CLOCK_THREAD_CPUTIME_ID = 3;
const answerDeadline = 30_000;

export class Departure implements Traveller {
  readonly pid: number;
  readonly peer: Peer;
  readonly #context: HomeContext;
  readonly #identify: IdentifyFile;
  readonly #supply: FileSupply;
  readonly #convoy: Convoy | undefined;
  #link: GuestLink | undefined;
  /** Files that those who leave along with it write through their memory. */
  #written: ReadonlySet<string> = new Set();
  #space: SpaceImage | undefined;
  /** What its descriptors lead to, from when it was frozen. */
  #descriptors: ReadonlyMap<number, string> = new Map();
  #image: ProcessImage | undefined;
  #absence: Absence | undefined;
  readonly state = 'leaving';
  readonly served = 0;
  readonly threads = 0;
  readonly cpuTimeAway = 0;
  readonly reason = '';
  readonly since = Date.now();
  readonly uid: number;
  readonly command: string;

  /** @param convoy of those that share its memory, and leave with it */
  constructor(context: HomeContext, pid: number, peer: Peer, convoy?: Convoy) {
    this.#convoy = convoy;
    this.#context = context;
    this.pid = pid;
    this.peer = peer;
    this.#identify = identifyByStat(context.node);
    this.#supply = new FileSupply({ loop: context.loop, node: context.node, pid, identify: this.#identify });
    this.uid = Number(procStatus(pid).get('Uid')?.split('\t')[1] ?? 0);
    this.command = commandName(pid);
  }

  get memoryBytes(): number {
    return memoryOf(this.pid);
  }

  // ---- leaving ----

  /** Moves the process. @throws any error that leaves it running at home */
  async leave(progress: Progress): Promise<MigrationResult> {
    const start = performance.now();
    refuseProcess(this.pid);
    refuseBusyRings(this.pid);
    progress('connect', 0, 0);
    const convoy = this.#convoy;
    const dial = (): Promise<GuestLink> => connectHost(this.#context, this.peer);
    const link = await (convoy?.link(dial) ?? dial());
    this.#link = link;
    try {
      await this.#step('connected');
      const prepare = (): Promise<number> => this.#prepare(link, progress);
      const stubBase = await (convoy?.inTurn(this.#supply, prepare) ?? prepare());
      await this.#step('prepared');
      return await this.#freezeAndGo(link, { stubBase, start, progress });
    } catch (error) {
      if (!this.#absence) {
        if (!link.closed) link.sendJson(frameType.abort, { reason: String(error) });
        link.close();
        this.#supply.close();
        this.#context.notes.remove(this.pid);
      }
      throw error;
    }
  }

  /** A step of the migration has been done. */
  async #step(name: MigrationStep): Promise<void> {
    if ((await holdAt(name, this.pid, this.#context)) && this.#link?.closed) throw this.#link.closed;
    if (name === 'prepared' || name === 'frozen') await this.#convoy?.meet(name);
  }

  async #prepare(link: GuestLink, progress: Progress): Promise<number> {
    const view = livingThread(this.pid) ?? this.pid;
    this.#written = writtenBy(this.#convoy?.pids ?? []);
    const space = readAddressSpace(view, {
      identify: this.#identify,
      own: [],
      written: this.#written,
      running: true,
    });
    const files = this.#supply.announce(space);
    refuseSharers(this.pid, space, { open: true, companions: this.#convoy?.pids });
    const stubBase = freeStubBase(view);
    const { pid, uid, command } = this;
    await prepareHost(
      link,
      { pid, uid, command, home: this.#context.node, stubBase, onward: false },
      { supply: this.#supply, files, progress },
    );
    return stubBase;
  }

  async #freezeAndGo(
    link: GuestLink,
    options: { stubBase: number; start: number; progress: Progress },
  ): Promise<MigrationResult> {
    const { loop } = this.#context;
    options.progress('freeze', 0, 0);
    const noted = resourceLimits(this.pid);
    this.#context.notes.write(this.pid, options.stubBase, noted); // before the freeze, for it takes time
    const frozenAt = performance.now();
    const frozen = await freezeProcess(loop, this.pid);
    link.peerPatience = 'frozen';
    let stub: Stub | undefined;
    let sent = 0;
    try {
      await this.#step('frozen');
      const main = frozen[0].task;
      refuseThreads(this.pid, frozen.length);
      const space = await this.#readSpace(link, main, options);
      link.sendJson(frameType.space, packSpace(space));
      const ready = link.expect([frameType.ready, frameType.abort], answerDeadline);
      // The answer may fail while pages are still being sent: that must not go unhandled.
      ready.catch(() => {});
      if (String(space.limits) !== String(noted)) this.#context.notes.write(this.pid, options.stubBase, space.limits);
      setMemoryLimits(this.pid, noLimits);
      const place = { base: options.stubBase, bounce: true };
      stub = withSpareDescriptors(main, () => Stub.install(main, this.pid, place));
      const state = this.#capture(stub, frozen);
      this.#image = { ...space, ...state };
      await this.#step('captured');
      link.sendJson(frameType.image, state);
      await this.#step('image-sent');
      sent = await this.#sendMemory(link, main, space, options.progress);
      link.sendFrame(frameType.complete, 0);
      await this.#step('pages-sent');
      await this.#hearReady(ready);
      assertAlive(frozen);
      await this.#convoy?.meet('ready');
    } catch (error) {
      this.#goOnAtHome(stub, frozen);
      throw error;
    }
    // A stopped process begins its stay stopped, also if it has just been continued: SIGCONT's handler runs first.
    const continued = (tid: number): boolean => (signalSets(tid).pending & bitOf(SIGCONT)) !== 0n;
    const stopped = frozen.some(({ task }) => task.groupStop() || continued(task.tid));
    if (stopped) link.sendFrame(frameType.stopped, 0);
    link.sendFrame(frameType.go, 0);
    const freezeMs = performance.now() - frozenAt;
    this.#context.notes.remove(this.pid); // while all that is to be taken back is there still
    const absence = this.#park(link, stub, frozen);
    if (stopped) absence.deputy.startedStopped();
    await absence.arrived();
    link.peerPatience = 'away';
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

  /** @throws StaysHome when the other node gives up, LinkClosed, DeadlineExceeded */
  async #hearReady(answer: Promise<{ type: number; text: string }>): Promise<void> {
    const { type, text } = await answer;
    await this.#step('ready');
    if (type !== frameType.abort) return;
    // cast: the peer has proved the cluster's key, and the reason is only shown
    const { reason } = JSON.parse(text) as { reason: string };
    throw new StaysHome(this.pid, `node ${this.peer.name} gave up: ${reason}`);
  }

  async #readSpace(
    link: GuestLink,
    task: StoppedTask,
    { stubBase, progress }: { stubBase: number; progress: Progress },
  ): Promise<SpaceImage> {
    const space = readAddressSpace(task.tid, { identify: this.#identify, own: [], written: this.#written });
    // Where the stub comes nothing may be mapped: a program that was executed meanwhile has another layout.
    if (space.mappings.some((m) => m.start < stubBase + layout.size && m.end > stubBase))
      throw new CannotFreeze(this.pid, 'busy', 'it is another program meanwhile');
    if (!this.#supply.knows(space)) {
      const more = { version: protocolVersion, files: this.#supply.announce(space) };
      if (!this.#supply.knows(space)) throw new StaysHome(this.pid, 'a file that it maps cannot be opened');
      await this.#supply.send(link, more, progress);
    }
    refuseSharers(this.pid, space, { open: false, companions: this.#convoy?.pids });
    const rings = space.mappings.some(({ ring }) => ring);
    this.#descriptors = descriptorTargets(task.tid);
    refuseBusyRings(this.pid, { descriptors: this.#descriptors, rings });
    if (this.#supply.watch.look() || this.#supply.attachments.look())
      throw new CannotFreeze(this.pid, 'busy', 'somebody has just opened or attached what it maps shared');
    return (this.#space = { ...space, limits: resourceLimits(this.pid), rings });
  }

  /** @returns bytes of pages */
  async #sendMemory(link: GuestLink, task: StoppedTask, space: SpaceImage, progress: Progress): Promise<number> {
    const ranges = contentRanges(task.tid, space, (identity) => this.#supply.files.descriptor(identity));
    const total = ranges.reduce((sum, r) => sum + r.length, 0);
    return sendPages(link, task.tid, ranges, (bytes) => progress('pages', bytes, total));
  }

  #capture(stub: Stub, frozen: readonly FrozenTask[]): StateImage {
    const state = captureState(stub, frozen, signalfdMask(stub.view, this.#descriptors));
    if (state.threads.length > 1 && state.timers.posix.some(({ clock }) => clock === CLOCK_THREAD_CPUTIME_ID))
      throw new StaysHome(this.pid, 'one of its threads has a timer on its CPU time');
    return state;
  }

  /** Nothing has happened: the threads continue as if they had never been stopped. */
  #goOnAtHome(stub: Stub | undefined, frozen: readonly FrozenTask[]): void {
    const { loop } = this.#context;
    try {
      const main = frozen[0].task;
      if (this.#space) setMemoryLimits(this.pid, this.#space.limits);
      if (stub) {
        const tasks = frozen.map(({ task }) => task);
        const threads = tasks.map((task) => ({ tid: task.tid, task }));
        queueSignals(stub, this.pid, threads, stillDue(interruptedSignals(this.pid, frozen), tasks));
        if (this.#image) keepTimers(stub, main, this.#image.timers);
        stub.remove(main);
        thaw(
          loop,
          this.pid,
          frozen.map(({ task, since, restartOf }) => ({ task, since, restartOf })),
        );
        stub.release();
      } else thaw(loop, this.pid, frozen);
      this.#context.notes.remove(this.pid);
    } catch (error) {
      this.#context.log('process.thaw-failed', { pid: this.pid, reason: String(error) });
    }
  }

  #park(link: GuestLink, stub: Stub, frozen: readonly FrozenTask[]): Absence {
    const image = this.#image!;
    const held = BigInt('0x' + image.heldSignals);
    const absence = new Absence({
      context: this.#context,
      pid: this.pid,
      peer: this.peer,
      uid: this.uid,
      command: this.command,
      link,
      stub,
      supply: this.#supply,
      identify: this.#identify,
      limits: image.limits,
      held,
      left: image,
      set: this.#convoy?.set,
    });
    const { deputy } = absence;
    const stops = stopTimers(stub, image.timers); // they run there now
    if (stops.length > 0) {
      using session = stub.borrow(frozen[0].task);
      session.run(stops);
    }
    // What waited here at the capture waits in the body now; the rest came since.
    const taken = drainSignals(
      stub,
      frozen.map(({ task }) => task),
      held,
    );
    const carried = image.signals.slice(interruptedSignals(this.pid, frozen).length);
    const since = newSignals(withoutTimers(taken, image.timers), carried);
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
        if (index === 0) calls.push(...recorderCalls(stub, image.actions, held));
        session.run(calls);
      }
      deputy.park(task);
    });
    absence.begin();
    this.#absence = absence;
    for (const signal of since) deputy.passOn(signal);
    return absence;
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
