/** A process on its way home: its deputy is taken apart, filled with what comes, and runs. From the start on there is no way back. */
import { kernel } from '../../sys/kernel.ts';
import type { StoppedTask } from '../../sys/ptrace.ts';
import { nr } from '../../sys/x64/numbers.ts';
import type { HomecomingMessage, HomecomingState } from '../image/departure_types.ts';
import type { Deputy } from './deputy.ts';
import { frameJson, type Frame } from '../link/link.ts';
import { unpackSpace, type PackedSpace } from '../image/packed_space.ts';
import type { ProcessImage } from '../image/image.ts';
import type { Loop } from '../link/loop.ts';
import { waitForTick } from '../task/clocks.ts';
import { writePages } from '../image/page_stream.ts';
import { setMemoryLimits } from '../image/restore.ts';
import { adoptAddressSpace, resumeAtHome, setUpAtHome, type KnownFiles } from './take_back.ts';
import { holdUntilGone } from './vfork_at_home.ts';

const SIGKILL = 9;

export function readHomecoming(frame: Frame): HomecomingMessage {
  const message = frameJson<HomecomingMessage<PackedSpace>>(frame);
  return { ...message, space: unpackSpace(message.space) };
}

export class Homecoming {
  readonly message: HomecomingMessage;
  bytes = 0;
  #image: ProcessImage | undefined;
  readonly #deputy: Deputy;
  readonly #start = performance.now();
  readonly #tasks: StoppedTask[];

  constructor(message: HomecomingMessage, deputy: Deputy, known: KnownFiles) {
    this.message = message;
    this.#deputy = deputy;
    this.#tasks = deputy.takeApart();
    if (this.#tasks.length === 0) return; // it has ended
    adoptAddressSpace(deputy.stub, this.#tasks[0], message.space, known);
  }

  onPages(frame: Frame): void {
    this.bytes += writePages(this.#deputy.stub.view, frame);
  }

  /** What it is besides its memory, while that is still on its way. */
  setUp(state: HomecomingState): void {
    state.signals.push(...this.#deputy.signalsAfter(state.signalsReceived));
    this.#image = { ...this.message.space, ...state };
    const [main] = this.#own;
    if (main) setUpAtHome(this.#deputy.stub, main, this.#image);
  }

  /** The process's own threads: lodgers are not. */
  get #own(): StoppedTask[] {
    return this.#tasks.filter(({ tid }) => !this.#deputy.lodgers.includes(tid));
  }

  /** CPU time that the program has used, nanoseconds. */
  get cpuTime(): number | undefined {
    return this.#image?.cpuTime;
  }

  /** It runs. @returns how long it stood still, milliseconds */
  resume(loop: Loop): number {
    const image = this.#image;
    if (!image) throw new Error(`Cannot resume process ${this.#deputy.pid}: not all of it is at home`);
    const { stub, lodgers, pid } = this.#deputy;
    const lodging = this.#tasks.filter(({ tid }) => lodgers.includes(tid));
    waitForTick(BigInt(image.coarseClock));
    const couples = resumeAtHome(loop, stub, { tasks: this.#own, lodgers: lodging }, image);
    for (const { parent, child } of couples) holdUntilGone(loop, parent, child);
    // One that is not among them has ended away.
    for (const { tid } of lodging)
      if (!couples.some(({ child }) => child.tid === tid)) kernel.call(nr.kill, tid, SIGKILL);
    setMemoryLimits(pid, image.limits);
    return performance.now() - this.#start + this.message.frozenFor;
  }
}
