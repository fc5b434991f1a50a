/**
 * The hosting side of a guest's stay: prepare a berth, receive the image, run the body, and send it home again.
 * Until `go` nothing of the guest runs here, and either side may give up without harm.
 */

import { isGone, type StoppedTask, type TaskStatus } from '../../sys/ptrace.ts';
import { frameType } from '../../wire/frames.ts';
import { admit, assertSameVdso } from './admission.ts';
import { Assembly } from './assembly.ts';
import { Berth } from './berth.ts';
import type { Blank } from './blanks.ts';
import { Body } from './body.ts';
import type { Birth, BodyOptions } from './body_host.ts';
import type { BodyThread } from './body_thread.ts';
import { contentRanges, decodeRegisters } from '../image/capture.ts';
import { tellUse, useOf } from './body_use.ts';
import { Family } from './family.ts';
import type { GuestStatus } from './guest_status.ts';
import { GuestFiles } from './guest_files.ts';
import type { BodyUse } from '../image/body_figures.ts';
import {
  knownWait,
  type Preparation,
  type ProcessImage,
  type SpaceImage,
  type StateImage,
  type ThreadImage,
} from '../image/image.ts';
import { frameJson, type Frame, type GuestLink } from '../link/link.ts';
import { mappedFiles, mapsAllOf, wantedKeys } from '../image/mapped_files.ts';
import { bodySpace, bodyState } from './body_image.ts';
import type { HomecomingMessage, HomecomingState } from '../image/departure_types.ts';
import { packSpace, unpackSpace, type PackedSpace } from '../image/packed_space.ts';
import { sendPages } from '../image/page_stream.ts';
import { filterFor } from '../image/restore.ts';
import type { HostContext } from './host_context.ts';
import { MovingOn } from './moving_on.ts';
import { ownTimeOffsets, readClock, waitForTick } from '../task/clocks.ts';
import type { KnownWait } from '../task/marked_calls.ts';
import { goOnHere } from './resumed_waits.ts';
import { noTimers, startTimers } from '../image/timers.ts';

/** What brings a body. */
const arriving: ReadonlySet<number> = new Set([frameType.space, frameType.image, frameType.pages, frameType.complete]);

/** In the words of `mosps`; before it runs it is arriving. */
const shownStates: Readonly<Record<string, string>> = { running: 'guest', moving: 'moving', returning: 'returning' };

export class Guest {
  readonly #context: HostContext<Guest>;
  readonly #link: GuestLink;
  readonly #files: GuestFiles;
  #preparation: Preparation | undefined;
  /** Where its body is built; a child that was born here has none of its own. */
  #berth: Berth | undefined;
  #family: Family | undefined;
  #assembly: Assembly | undefined;
  /** The parts of files that were sent ahead, or were here (`wantedKeys`). */
  readonly #announced = new Set<string>();
  #image: ProcessImage | undefined;
  #body: Body | undefined;
  /** What the body uses before it has begun: looked up while home decides. */
  #firstUse: BodyUse | undefined;
  #stopped = new Map<number, StoppedTask>();
  /** Threads that were waiting in a call. */
  readonly #waits = new Map<number, KnownWait>();
  #state: 'preparing' | 'arriving' | 'ready' | 'running' | 'moving' | 'returning' | 'ended' = 'preparing';
  /** What another hosting node shows to bring the body. */
  #ticket = '';
  /** The node that brings the body, if that is not its home. */
  #bringer: GuestLink | undefined;
  readonly #movingOn: MovingOn;
  #since = Date.now();

  constructor(context: HostContext<Guest>, link: GuestLink, files = new GuestFiles(context.files, link, context.loop)) {
    this.#context = context;
    this.#link = link;
    this.#files = files;
    this.#movingOn = new MovingOn({
      context,
      home: link,
      files: this.#files,
      body: () => this.#body!,
      space: () => this.#readSpace(),
      enter: (state) => this.#enter(state),
    });
    link.onFrame = (frame) => this.onFrame(frame);
    link.onClose((error) => this.#end(error.message));
  }

  /** It begins to move on, or runs again; false where it does not come from the other of the two. */
  #enter(state: 'moving' | 'running'): boolean {
    const comes = this.#state === (state === 'moving' ? 'running' : 'moving');
    if (comes) this.#state = state;
    return comes;
  }

  status(): GuestStatus | undefined {
    const p = this.#preparation;
    if (!p) return undefined;
    return {
      pid: p.pid,
      uid: p.uid,
      comm: p.command,
      home: p.home,
      hostPid: this.#body?.hostPid ?? 0,
      threads: this.#body?.threads.length ?? 0,
      moves: p.moves,
      forwarded: this.#body?.forwarded ?? 0,
      since: this.#since,
      state: shownStates[this.#state] ?? 'arriving',
    };
  }

  /** It goes home if it runs; what is on its way somewhere is left alone. */
  expel(reason: string): void {
    if (this.#state === 'running') this.#goHome(reason);
  }

  /** Sends the guest home, e.g. because this engine stops. */
  leave(reason: string): void {
    if (this.#state === 'running') this.#goHome(reason);
    else if (this.#state !== 'returning') this.#link.close();
  }

  onFrame(frame: Frame): void {
    // What another node still sends of a body that home has given up: there is nothing any more that it could go to.
    if (this.#state === 'ended') return;
    try {
      this.#handle(frame);
    } catch (error) {
      if (this.#state === 'running' && isGone(error)) return; // its end is told when the loop comes to it
      const reason = error instanceof Error ? error.message : String(error);
      this.#context.log('guest.failed', { pid: this.#preparation?.pid, state: this.#state, reason });
      if (this.#state === 'preparing' || this.#state === 'arriving' || this.#state === 'ready')
        this.#link.sendJson(frameType.abort, { reason });
      throw error;
    }
  }

  #handle(frame: Frame): void {
    if (arriving.has(frame.type) && !this.#assembly)
      throw new Error(`Cannot take a frame of type ${frame.type} before its preparation`);
    switch (frame.type) {
      case frameType.clock:
        return this.#link.sendJson(frameType.clock, {
          monotonic: String(readClock('monotonic')),
          boottime: String(readClock('boottime')),
        });
      case frameType.member:
        return void this.#companion(frameJson<{ channel: number }>(frame).channel);
      case frameType.prepare:
        return this.#prepare(frameJson<Preparation & { version: number }>(frame));
      case frameType.filePages:
        return this.#files.store(frame);
      case frameType.space:
        return this.#build(unpackSpace(frameJson(frame)));
      case frameType.image:
        return this.#setUp(frameJson(frame));
      case frameType.pages:
        return this.#assembly!.writePages(frame);
      case frameType.complete:
        return this.#finish();
      case frameType.go:
        return this.#start();
      case frameType.abort:
        return this.#end('home gave up');
      default:
        return this.#handleRunning(frame);
    }
  }

  #handleRunning(frame: Frame): void {
    const body = this.#body;
    if (!body) throw new Error(`Cannot take a frame of type ${frame.type} before the body runs`);
    switch (frame.type) {
      case frameType.reply:
        return body.onReply(frame);
      case frameType.bulk:
        return body.onBulk(frame);
      case frameType.forked:
        return body.onAnswer(frame);
      case frameType.signal:
        return body.signals.receive(frameJson(frame));
      case frameType.stopped:
        return body.halt();
      case frameType.continued:
        return body.continue();
      case frameType.measure:
        return tellUse(this.#link, body);
      case frameType.recall:
        return this.#movingOn.afterwards(() => this.#goHome('recalled'));
      case frameType.survey:
        return this.#movingOn.survey(frame.id);
      case frameType.goOn:
        return this.#movingOn.goOn(frameJson(frame), frame.id);
      case frameType.wentOn:
        return this.#end('it went on to another node');
      case frameType.stay:
        return this.#movingOn.stay();
      case frameType.mapped:
        return this.#files.onMapped(body, frame.id, frameJson(frame));
      case frameType.ended:
        return this.#end('the program ended');
      case frameType.ready:
        return this.#end('it is home');
      case frameType.lodgerLeft:
        return body.lodgerLeft(frameJson<{ tid: number }>(frame).tid);
      case frameType.executed:
        return this.#end('it executes another program');
      default:
        if (body.ahead.takes(frame)) return;
        throw new Error(`Cannot take a frame of type ${frame.type}`);
    }
  }

  // ---- arrival ----

  #prepare(p: Preparation & { version: number }): void {
    if (!this.#berth) {
      admit(p, this.#context.closed);
      this.#preparation = p;
      if (p.onward) this.#ticket = this.#context.ticket();
      const blank = this.#context.blanks.take();
      const berth = this.#makeBerth(p, blank);
      this.#berth = berth;
      this.#assembly = new Assembly(berth);
      this.#family = new Family(this.#context.loop, berth, blank.cgroup);
      this.#context.loop.onTask(berth.body.tid, (status) => this.#onEarlyEnd(status));
      assertSameVdso(p, berth.body.tid);
      filterFor(p.stubBase, false);
    }
    for (const key of wantedKeys(p.files)) this.#announced.add(key);
    const missing = p.files.map(({ file, ranges }) => this.#files.use(file).missing(ranges));
    this.#link.sendJson(frameType.prepared, { missing, ticket: this.#ticket });
  }

  #makeBerth(p: Preparation, blank: Blank): Berth {
    try {
      return Berth.create(p, blank, ownTimeOffsets());
    } catch (error) {
      this.#context.blanks.discard(blank);
      throw error;
    }
  }

  #onEarlyEnd(status: TaskStatus): void {
    if (status.kind !== 'stopped' && !this.#body)
      this.#link.close(new Error('Cannot restore the process: its body ended early'));
  }

  #build(space: SpaceImage): void {
    this.#state = 'arriving';
    // Its content would be missing here, and read as zeros.
    if (!wantedKeys(mappedFiles(space)).every((key) => this.#announced.has(key)))
      throw new Error('it maps a part of a file that was not announced');
    const files = space.files.map((file) => this.#files.use(file));
    this.#assembly!.map(space, files);
  }

  #setUp(state: StateImage): void {
    const { stub } = this.#berth!;
    const family = this.#family!;
    const assembly = this.#assembly!;
    const listen = (listener: number): void => family.listen(listener);
    const image = assembly.setUp(state, { loop: this.#context.loop, listen });
    this.#image = image;
    const body = this.#makeBody({ pid: image.pid, stub, family, image });
    image.threads.forEach((thread, i) => {
      const task = assembly.threads[i];
      this.#takeUpCall(body.addThread(thread.tid, task.tid), thread);
      this.#stopped.set(task.tid, task);
    });
  }

  #finish(): void {
    this.#assembly!.finish();
    this.#files.settle();
    this.#state = 'ready';
    this.#link.sendJson(frameType.ready, {});
    this.#firstUse = useOf(this.#body!);
  }

  /** Home's CLOCK_MONOTONIC less this host's, nanoseconds. */
  get #homeIsAhead(): bigint {
    return BigInt(this.#preparation!.clockOffsets.monotonic);
  }

  /** A call that was cut short at home is made again here, unless a handler is to run. */
  #takeUpCall(thread: BodyThread, image: ThreadImage): void {
    const registers = decodeRegisters(image.registers);
    thread.takeUp(registers, image);
    const known = knownWait(image, this.#homeIsAhead);
    if (!known) return;
    this.#waits.set(thread.hostTid, known);
    if (known.restartOf === 0) thread.goesOnElsewhere(registers, known.since);
  }

  #makeBody(options: Pick<BodyOptions, 'pid' | 'stub' | 'family' | 'image'>): Body {
    const body = new Body({
      ...options,
      link: this.#link,
      loop: this.#context.loop,
      shared: this.#files,
      homeIsAhead: this.#homeIsAhead,
      events: {
        comeHome: (reason) => this.#goHome(reason),
        ended: (status) => this.#onEnded(status),
        mapFile: (thread, call, mapping) => this.#files.request(thread, call, mapping),
        born: (birth) => this.#onBorn(birth),
      },
    });
    this.#body = body;
    return body;
  }

  /** Another guest on this connection, which may share memory with this one. */
  #companion(channel: number): Guest {
    const link = this.#link.branch(channel);
    const guest = new Guest(this.#context, link, this.#files.forCompanion(link));
    this.#context.born(guest);
    return guest;
  }

  /** A thread of the body made a process: it is a guest of its own. */
  #onBorn(birth: Birth): void {
    this.#companion(birth.channel).#beginAsChild(this, birth);
  }

  #beginAsChild(parent: Guest, { pid, task, stub }: Birth): void {
    const { limits, heldSignals } = parent.#body!;
    const family = parent.#family!;
    this.#preparation = { ...parent.#preparation!, pid };
    this.#family = family;
    this.#files.useAll(parent.#files);
    family.join(task.tid);
    this.#state = 'running';
    const inherited = { limits: [...limits], heldSignals: heldSignals.toString(16), rings: false };
    const image = { ...inherited, cpuTime: 0, cpuTimeAway: 0, threads: [], timers: noTimers };
    const body = this.#makeBody({ pid, stub, family, image });
    body.addThread(pid, task.tid);
    body.resumeNew(task);
  }

  #start(): void {
    if (this.#state !== 'ready') throw new Error('Cannot start a body that is not ready');
    this.#state = 'running';
    this.#since = Date.now();
    waitForTick(BigInt(this.#image!.coarseClock) - this.#homeIsAhead);
    startTimers(this.#berth!.stub, this.#assembly!.threads[0], this.#image!.timers);
    for (const [tid, known] of this.#waits) goOnHere(this.#stopped.get(tid)!, known);
    this.#link.sendJson(frameType.use, this.#firstUse); // home waits for that before anything else
    this.#body!.start(this.#stopped);
    this.#stopped = new Map();
    this.#context.log('guest.runs', {
      pid: this.#preparation!.pid,
      home: this.#preparation!.home,
      hostPid: this.#body!.hostPid,
    });
  }

  // ---- going home ----

  #goHome(reason: string): void {
    if (this.#state !== 'running') return;
    this.#state = 'returning';
    this.#context.loop.start(
      () => this.#sendHome(reason),
      (error) => {
        if (this.#state === 'ended') return;
        this.#context.log('guest.lost', { pid: this.#preparation?.pid, reason: String(error) });
        this.#link.close(error instanceof Error ? error : new Error(String(error)));
      },
    );
  }

  async #sendHome(reason: string): Promise<void> {
    const body = this.#body!;
    const start = performance.now();
    const all = await body.freeze(60_000);
    const frozen = all.filter(({ thread }) => !thread.lodger);
    if (frozen.length === 0) return; // it ended meanwhile; that is reported by itself
    const space = this.#readSpace();
    const own = { ...space, mappings: space.mappings.filter(({ readOnly }) => !readOnly) };
    // The rest comes with its memory. What it has unmapped does not; and what only others may write comes with them, or is at
    // home already: the last of them may have ended.
    this.#files.writeBack(true, (file) => !mapsAllOf(own, file));
    this.#files.still = true;
    const ranges = contentRanges(body.stub.view, own, (identity) => this.#files.descriptor(identity));
    const message: HomecomingMessage<PackedSpace> = {
      space: packSpace(space),
      reason,
      frozenFor: performance.now() - start,
      bytesToCome: ranges.reduce((sum, { length }) => sum + length, 0),
      calls: body.calls.entries(),
    };
    this.#link.sendJson(frameType.homecoming, message);
    const state: HomecomingState = { ...bodyState(body, all), signalsReceived: body.signals.received };
    this.#link.sendJson(frameType.image, state);
    await sendPages(this.#link, body.stub.view, ranges);
    this.#link.sendFrame(frameType.complete, 0);
  }

  // ---- going on to another node ----

  #readSpace(): SpaceImage {
    return bodySpace(this.#body!, (mapping, pid, live) => this.#files.imageOf(mapping, pid, live));
  }

  /** Whether this is the guest that a ticket was given out for. */
  admits(ticket: string): boolean {
    return this.#ticket !== '' && ticket === this.#ticket && this.#state === 'preparing';
  }

  /** The body comes over a link of its own, from the node that it was on. */
  attach(link: GuestLink): void {
    this.#ticket = '';
    this.#bringer = link;
    link.onFrame = (frame) => {
      if (!arriving.has(frame.type)) throw new Error(`Cannot take a frame of type ${frame.type} with a body`);
      this.onFrame(frame);
    };
    link.onClose(() => {
      if (this.#state !== 'preparing' && this.#state !== 'arriving') return;
      this.#link.sendJson(frameType.abort, { reason: 'the node that the body came from was lost' });
    });
    link.sendFrame(frameType.attached, 0);
  }

  // ---- the end ----

  #onEnded(status: TaskStatus): void {
    if (this.#state === 'ended') return;
    this.#files.writeBack(true); // of shared memory its last words count, too
    this.#link.sendJson(frameType.ended, status);
  }

  #end(reason: string): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#movingOn.end();
    this.#context.log('guest.gone', { pid: this.#preparation?.pid, reason });
    const berth = this.#berth;
    const hostPid = this.#body?.stub.pid ?? berth?.body.tid ?? 0;
    if (this.#body) this.#body.destroy();
    else berth?.stub.release();
    if (berth && !this.#body) this.#context.loop.discardTask(berth.body.tid);
    this.#family?.leave(hostPid);
    this.#files.release();
    this.#bringer?.close();
    this.#link.close();
    this.#context.finished(this);
  }
}
