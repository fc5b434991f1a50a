/**
 * The home side of a process that is away: its deputy serves, its body may come home, and either may end.
 * What was born away begins as one (births.ts); what leaves becomes one (departure.ts).
 */
import { kernel } from '../../sys/kernel.ts';
import type { StoppedTask, TaskStatus } from '../../sys/ptrace.ts';
import { nr } from '../../sys/x64/numbers.ts';
import { frameType } from '../../wire/frames.ts';
import type { IdentifyFile } from '../image/capture.ts';
import { BodyGauge } from './body_gauge.ts';
import type { CallCounts } from '../image/call_statistics.ts';
import type { ForkAnswer, ForkRequest } from '../image/fork_messages.ts';
import { Deputy } from './deputy.ts';
import { forDeputy } from './deputy_frames.ts';
import { forkDeputy } from './deputy_fork.ts';
import { endDeputy } from './end_deputy.ts';
import type {
  HomecomingMessage,
  MigrationResult,
  Peer,
  Progress,
  ReturnResult,
  Traveller,
} from '../image/departure_types.ts';
import type { FileSupply } from './file_supply.ts';
import { CannotFreeze } from '../task/freeze.ts';
import { Homecoming, readHomecoming } from './homecoming.ts';
import { specialNames, type ProcessImage } from '../image/image.ts';
import { frameJson, LinkClosed, type Frame, type GuestLink } from '../link/link.ts';
import type { Loop } from '../link/loop.ts';
import { LiveAtHome } from './live_home.ts';
import type { OnwardCompany } from './onward_company.ts';
import { OnwardMove, type Traveller as OnwardTraveller } from './onward_move.ts';
import { Question } from '../link/question.ts';
import type { GoingOn } from '../image/onward_messages.ts';
import { Recalls } from './recalls.ts';
import { setMemoryLimits } from '../image/restore.ts';
import { resumeUntouched } from './resume_untouched.ts';
import { forSegments, type SegmentHome } from './segment_requests.ts';
import { SharingSet, type SetMember } from './sharing_set.ts';
import type { Stub } from '../task/stub.ts';
import type { DepartureNotes } from './unfinished.ts';

const SIGKILL = 9;

export interface HomeContext {
  loop: Loop;
  node: string;
  key: Uint8Array;
  /** What the next engine would have to take back. */
  notes: DepartureNotes;
  log: (event: string, fields: Readonly<Record<string, unknown>>) => void;
  /** The process is away now. */
  began: (absence: Absence) => void;
  /** A child that had no memory of its own yet has executed a program. */
  executed: (pid: number, parent: number) => void;
  /** The process is no longer away (home again, or ended). */
  finished: (absence: Absence, how: string) => void;
}

export interface AbsenceOptions {
  context: HomeContext;
  pid: number;
  peer: Peer;
  uid: number;
  command: string;
  link: GuestLink;
  stub: Stub;
  supply: FileSupply;
  identify: IdentifyFile;
  /** The program's own limits; the deputy has none on memory. */
  limits: [string, string][];
  /** Mask of the signals that wait here, for the program's signalfds. */
  held: bigint;
  /** As it left: while nothing was served the process can go on from here. A process that was born away has none. */
  left: ProcessImage | undefined;
  /** Of a process that was born away. */
  parent?: number;
  /** Those with whom it shares memory away. */
  set?: SharingSet | undefined;
}

export class Absence implements Traveller, SetMember {
  readonly pid: number;
  peer: Peer;
  readonly uid: number;
  readonly command: string;
  readonly since = Date.now();
  readonly #options: AbsenceOptions;
  readonly #context: HomeContext;
  #link: GuestLink;
  readonly #deputy: Deputy;
  #supply: FileSupply;
  #state: 'away' | 'moving' | 'returning' | 'gone' = 'away';
  readonly #question: Question;
  /** The last hosting node was lost while the body was under way to the next. */
  #lostOnTheWay: Error | undefined;
  readonly #recalls: Recalls;
  readonly #gauge: BodyGauge;
  #homecoming: Homecoming | undefined;
  /** All of it is at home. */
  complete = false;
  #set: SharingSet | undefined;
  #calledHome = false;
  reason = '';
  readonly #live: LiveAtHome;
  /** The program's own. */
  #limits: [string, string][];

  /** The caller parks the deputy's threads, and then has the absence begin. */
  constructor(options: AbsenceOptions) {
    const { context, pid, stub, link, held } = options;
    this.#options = options;
    this.#context = context;
    this.pid = pid;
    this.peer = options.peer;
    this.uid = options.uid;
    this.command = options.command;
    this.#link = link;
    this.#limits = options.limits;
    this.#supply = options.supply;
    this.#set = options.set;
    this.#set?.join(this);
    this.#question = new Question(context.loop);
    this.#live = new LiveAtHome(options.supply, { recall: () => this.callHome(), company: () => this.company });
    this.#recalls = new Recalls(context.loop);
    this.#gauge = new BodyGauge(context.loop, options.left?.cpuTime ?? 0);
    const events = {
      ended: (status: TaskStatus) => this.#onEnded(status),
      executed: (stop: StoppedTask) => this.#onExecuted(stop),
      lodgerExecuted: (stop: StoppedTask) => this.#onLodgerExecuted(stop),
      touchesLive: (fd: number) => this.#live.touches(fd),
    };
    this.#deputy = new Deputy({ pid, stub, link, loop: context.loop, held, events });
  }

  get parent(): number | undefined {
    return this.#options.parent;
  }

  get state(): string {
    return this.#deputy.stopped ? 'stopped' : this.#state;
  }

  /** It runs there, and is not on its way. */
  staysAt(peer: Peer): boolean {
    return this.#state === 'away' && this.peer.name === peer.name;
  }

  get served(): number {
    return this.#deputy.served;
  }

  /** Itself and those that share its memory: they move together. */
  get company(): number[] {
    return this.#set?.pids ?? [this.pid];
  }

  get #segments(): SegmentHome {
    return { deputy: this.#deputy, supply: this.#supply, link: this.#link, company: this.company };
  }

  get deputy(): Deputy {
    return this.#deputy;
  }

  get threads(): number {
    return this.#deputy.threadIds.length;
  }

  /** As of the last look. */
  get memoryBytes(): number {
    return this.#gauge.memoryBytes;
  }

  /** CPU time that it used while it was away, nanoseconds. */
  get cpuTimeAway(): number {
    return this.#gauge.cpuTimeAway;
  }

  /** As of the last look. */
  get calls(): CallCounts {
    return this.#gauge.calls;
  }

  /** Asks the hosting node what the body uses. Never rejects. */
  async look(): Promise<void> {
    if (this.#state === 'away') await this.#gauge.look(this.#link);
  }

  /** Settles when the hosting node says that the body runs. @throws LinkClosed */
  arrived(): Promise<void> {
    return this.#gauge.begins(this.peer.name);
  }

  /** The deputy is parked: frames may come. */
  begin(): void {
    this.#context.began(this);
    this.#listen(this.#link);
    this.#live.watch(this.#supply);
  }

  #listen(link: GuestLink): void {
    link.onFrame = (frame) => this.#onFrame(frame);
    link.onClose((error) => {
      if (link === this.#link) this.#onLinkLost(error);
    });
  }

  // ---- away ----

  #onFrame(frame: Frame): void {
    const { deputy } = this;
    if (forDeputy(deputy, frame)) return;
    switch (frame.type) {
      case frameType.execute:
        this.#limits = deputy.execute(frame);
        return;
      case frameType.fork:
        return this.#onFork(frame.id, frameJson(frame));
      case frameType.mapFile:
        return this.#supply.onWish(this.#link, frame.id, frameJson(frame));
      case frameType.use:
        return this.#gauge.onTold(frame);
      case frameType.writeBack:
        return this.#live.onFrame(frame);
      case frameType.syncFiles:
        this.#live.onFrame(frame);
        return deputy.reply(frame.id, 0);
      case frameType.surveyed:
      case frameType.goingOn:
        return this.#question.onAnswer(frame);
      case frameType.homecoming:
        return this.#onHomecoming(readHomecoming(frame));
      case frameType.pages:
        return this.#onPages(frame);
      case frameType.image:
        return this.#homecoming?.setUp(frameJson(frame));
      case frameType.complete:
        return this.#onHome();
      case frameType.ended:
        return this.#onBodyEnded(frameJson<TaskStatus>(frame));
      default:
        if (this.#supply.takes(this.#link, frame) || forSegments(this.#segments, frame)) return;
        throw new RangeError(`Cannot take a frame of type ${frame.type} from node ${this.peer.name}`);
    }
  }

  /** The deputy is another program now: it runs at home, natively. */
  #onExecuted(stop: StoppedTask): void {
    setMemoryLimits(this.pid, this.#limits);
    stop.detach();
    this.reason = 'it executes another program';
    this.#context.log('process.executes', { pid: this.pid, from: this.peer.name });
    this.#link.sendFrame(frameType.executed, 0);
    const result = { pid: this.pid, from: this.peer.name, freezeMs: 0, totalMs: 0, bytes: 0 };
    this.#recalls.resolve(result);
    this.#close('executed');
  }

  /** A process between vfork and exec is at home now, as another program. */
  #onLodgerExecuted(stop: StoppedTask): void {
    setMemoryLimits(stop.tid, this.#limits);
    stop.detach();
    this.#context.log('process.executes', { pid: stop.tid, from: this.peer.name, parent: this.pid });
    this.#context.executed(stop.tid, this.pid);
  }

  /** The body forks: its deputy does, and the child is away from its birth. */
  #onFork(id: number, request: ForkRequest): void {
    const { held, identify } = this.#options;
    const made = forkDeputy(this.#deputy, request);
    const answer = (value: ForkAnswer): void => this.#link.sendJson(frameType.forked, value, id);
    if (typeof made === 'number') return answer({ failed: made });
    const { pid, task, stub, pidfd } = made;
    if (!stub) {
      this.#deputy.park(task, true);
      return answer({ pid, channel: 0, pidfd });
    }
    const link = this.#link.branch();
    const child = new Absence({
      context: this.#context,
      pid,
      peer: this.peer,
      uid: this.uid,
      command: this.command,
      link,
      stub,
      supply: this.#supply.forChild(pid),
      identify,
      limits: this.#limits,
      held,
      left: undefined,
      parent: this.pid,
      set: request.shares ? (this.#set ??= new SharingSet().join(this)) : undefined,
    });
    child.deputy.park(task);
    child.begin();
    answer({ pid, channel: link.number, pidfd });
  }

  /** The body ended by itself: so does the deputy, in the same way. */
  #onBodyEnded(status: TaskStatus): void {
    if (status.kind === 'killed') this.#killDeputy(status.signal);
  }

  #killDeputy(signal: number): void {
    // When it is returning its threads are stopped already, with half of the body's memory: nothing but the end is left.
    if (this.#state === 'returning') kernel.call(nr.kill, this.pid, SIGKILL);
    else if (!endDeputy(this.#deputy, signal)) return;
    this.#close('ended');
  }

  /** The deputy has ended: by exit_group of the body, or killed. */
  #onEnded(status: TaskStatus): void {
    this.#context.log('process.ended', { pid: this.pid, status: JSON.stringify(status), calls: this.served });
    this.#link.sendJson(frameType.ended, status);
    this.#close('ended');
  }

  #onLinkLost(error: Error): void {
    const { deputy } = this;
    const { left } = this.#options;
    if (this.#state === 'gone') return;
    this.#question.abandon(error);
    if (this.#state === 'moving') {
      this.#lostOnTheWay = error; // the next node may have all of it
      return;
    }
    if (this.#homecoming === undefined && deputy.served === 0 && left) {
      // The body never reached us: nothing that it did can be seen by anybody, and our memory is as it was.
      this.#context.log('process.resumed', { pid: this.pid, reason: error.message });
      this.reason = `node ${this.peer.name} was lost before its first call; it goes on from here`;
      this.#gauge.end(
        undefined,
        new LinkClosed(this.peer.name, 'it was lost as the program arrived, which goes on here'),
      );
      resumeUntouched(this.#context.loop, deputy, left);
      return this.#close('home');
    }
    this.#context.log('process.lost', { pid: this.pid, node: this.peer.name, reason: error.message });
    this.reason = `node ${this.peer.name} was lost: ${error.message}`;
    this.#gauge.end(undefined, new LinkClosed(this.peer.name, 'it was lost, and the program with it'));
    this.#killDeputy(9);
  }

  /** Gives stale memory back to the node. @returns bytes */
  release(): number {
    const { left } = this.#options;
    if (!left || this.#state !== 'away')
      throw new Error(`Cannot release the memory of process ${this.pid}: it is not away`);
    return this.#deputy.release(left.mappings.filter((m) => !m.shared && !m.ring && !specialNames.has(m.name)));
  }

  // ---- going on to another node ----

  /** Moves the body to another node, directly. @throws any error that leaves it, and its company, where it was */
  async moveOn(peer: Peer, progress: Progress, company?: OnwardCompany): Promise<MigrationResult> {
    if (this.#state !== 'away') throw new CannotFreeze(this.pid, 'busy', `it is ${this.#state}`);
    this.#state = 'moving';
    const start = performance.now();
    const { pid, uid, command, peer: present } = this;
    const ask = async <T>(type: number, value: unknown, answer: number): Promise<T> => {
      if (this.#state === 'gone') throw new CannotFreeze(pid, 'no-such-process', 'it has ended');
      return this.#question.ask(this.#link, { type, value, answer, whom: `node ${present.name}` });
    };
    try {
      const traveller: OnwardTraveller = {
        pid,
        uid,
        command,
        stubBase: this.#deputy.stub.base,
        node: present.name,
        supply: this.#supply,
        progress,
        ask,
        mustWait: (received) => this.#deputy.hasNews(received),
        obstacle: () => this.#obstacleToMove(company?.size ?? 1),
      };
      const { move, left, frozenAt, begunStopped } = await OnwardMove.carry(this.#context, peer, traveller, company);
      this.#commit(move, left, begunStopped);
      const [freezeMs, totalMs] = [performance.now() - frozenAt, performance.now() - start];
      const result = { pid, to: peer.name, freezeMs, totalMs, bytes: 0, threads: this.threads };
      this.#context.log('process.went-on', result);
      return result;
    } catch (error) {
      this.#stayThere();
      throw error;
    }
  }

  #obstacleToMove(members: number): string {
    if (this.#state !== 'moving' || this.#calledHome) return 'it is coming home';
    // Until it was stopped for the move it could fork.
    return this.company.length === members ? '' : 'processes that share its memory were born, or ended, meanwhile';
  }

  /** The body runs on the next node: from here on that is the only one. @throws CannotFreeze when it has ended meanwhile */
  #commit(move: OnwardMove, left: GoingOn, begunStopped: boolean): void {
    if (this.#state === 'gone') {
      move.abandon('the program has ended');
      throw new CannotFreeze(this.pid, 'no-such-process', 'it ended before it went on');
    }
    const last = this.#link;
    this.#gauge.leaves(left.calls, true);
    this.#link = move.link;
    this.peer = move.peer;
    this.#supply.close();
    this.#supply = move.supply;
    this.#live.watch(move.supply);
    this.#state = 'away';
    this.#lostOnTheWay = undefined;
    this.#deputy.served++; // what it did on the last node may have been seen: it does not begin anew from here
    this.#deputy.moveTo(move.link, { received: left.signalsReceived, begunStopped });
    this.#listen(move.link);
    last.sendFrame(frameType.wentOn, 0);
    last.closeWhenSent();
  }

  /** The body goes on where it is, if it still is there. */
  #stayThere(): void {
    if (this.#state !== 'moving') return;
    this.#state = 'away';
    const lost = this.#lostOnTheWay;
    this.#lostOnTheWay = undefined;
    if (lost) return this.#onLinkLost(lost);
    this.#link.sendFrame(frameType.stay, 0);
    if (this.#calledHome) this.callHome();
  }

  // ---- coming home ----

  /** Asks the hosting node to send the process home. */
  recall(progress: Progress): Promise<ReturnResult> {
    const promise = this.#recalls.wait(progress);
    progress('freeze', 0, 0);
    if (this.#state === 'away') this.#link.sendFrame(frameType.recall, 0);
    else if (this.#state !== 'returning')
      this.#recalls.reject(new CannotFreeze(this.pid, 'busy', `it is ${this.#state}`));
    return promise;
  }

  /** A member of its set comes home. */
  callHome(): void {
    this.#calledHome = true; // if it is on its way to another node, it will not get there
    if (this.#state === 'away') this.#link.sendFrame(frameType.recall, 0);
  }

  #onHomecoming(message: HomecomingMessage): void {
    this.#state = 'returning';
    this.#gauge.leaves(message.calls, false);
    this.reason = this.#live.reason || message.reason;
    this.#recalls.progress('pages', 0, message.bytesToCome);
    this.#set?.callHome(this);
    const known = this.#live.known(this.#options.identify, this.#set);
    this.#homecoming = new Homecoming(message, this.#deputy, known);
  }

  #onPages(frame: Frame): void {
    const home = this.#homecoming;
    home?.onPages(frame);
    if (home) this.#recalls.progress('pages', home.bytes, home.message.bytesToCome);
  }

  #onHome(): void {
    this.complete = true;
    if (this.#set) this.#set.onArrived();
    else this.resume();
  }

  /** It is home, and runs. */
  resume(): void {
    const home = this.#homecoming;
    if (!home || this.#state === 'gone') return; // any look at its threads may have shown that it ended
    const freezeMs = home.resume(this.#context.loop);
    const result = { pid: this.pid, from: this.peer.name, freezeMs, totalMs: freezeMs, bytes: home.bytes };
    this.#context.log('process.home', { ...result, reason: home.message.reason });
    this.#link.sendFrame(frameType.ready, 0);
    this.#recalls.resolve(result);
    this.#close('home');
  }

  #close(how: string): void {
    if (this.#state === 'gone') return;
    this.#state = 'gone';
    this.#set?.leave(this);
    const cpuTime = how === 'home' ? this.#homecoming?.cpuTime : undefined;
    this.#gauge.end(cpuTime, new LinkClosed(this.peer.name, how));
    this.#question.abandon(new CannotFreeze(this.pid, 'no-such-process', 'it ended, or came home, before it went on'));
    this.#recalls.reject(new CannotFreeze(this.pid, 'no-such-process', 'it ended before it came home'));
    if (how !== 'home') {
      for (const tid of this.#deputy.lodgers) kernel.call(nr.kill, tid, SIGKILL);
      this.#deputy.dispose();
    }
    this.#supply.close();
    this.#link.closeWhenSent();
    this.#context.finished(this, how);
  }
}
