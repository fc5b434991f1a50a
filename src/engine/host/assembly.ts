/**
 * Putting a body together from what comes: mappings, then what the process is besides its memory, then the pages. All that
 * does not need the pages is made while they are still on their way. The steps' order is explained in
 * docs/internals/address_space.md.
 */
import type { StoppedTask } from '../../sys/ptrace.ts';
import type { Berth } from './berth.ts';
import type { ProcessImage, SpaceImage, StateImage } from '../image/image.ts';
import type { MappableFile } from '../image/mappable_file.ts';
import { writePages, type Diversion } from '../image/page_stream.ts';
import { queueSignals } from '../image/pending_signals.ts';
import {
  buildAddressSpace,
  completeThread,
  createThreads,
  endMainThread,
  installFilter,
  setLimits,
  setMemoryLimits,
  setProcessState,
  setThreadContext,
} from '../image/restore.ts';
import type { Frame } from '../link/link.ts';
import type { Loop } from '../link/loop.ts';
import { createTimers } from '../image/timers.ts';
import { layout } from '../task/stub.ts';

export class Assembly {
  readonly #berth: Berth;
  #space: SpaceImage | undefined;
  #image: ProcessImage | undefined;
  #threads: StoppedTask[] = [];
  #diversions: Diversion[] = [];

  constructor(berth: Berth) {
    this.#berth = berth;
  }

  /** Step 1: the body has the program's mappings, empty and writable. */
  map(space: SpaceImage, files: readonly MappableFile[]): void {
    const { stub, body } = this.#berth;
    this.#space = space;
    this.#diversions = space.mappings.flatMap(({ start, end, file, offset, readOnly }) =>
      readOnly ? [{ start, end, offset, descriptor: files[file].mapDescriptor }] : [],
    );
    setLimits(stub.pid, space.limits);
    using session = stub.borrow(body);
    buildAddressSpace(stub, session, space, files);
  }

  /** Step 2. @param listen gets the descriptor by which the body's calls are heard. @returns the whole image */
  setUp(state: StateImage, { loop, listen }: { loop: Loop; listen: (listener: number) => void }): ProcessImage {
    if (!this.#space) throw new Error('Cannot set up a body before its address space is there');
    const { stub, body: main } = this.#berth;
    const image = { ...this.#space, ...state };
    this.#image = image;
    const mainLives = image.threads[0]?.tid === image.pid;
    const threads: StoppedTask[] = mainLives ? [main] : [];
    {
      using session = stub.borrow(main);
      setProcessState(stub, session, image, { trapAction: true });
      listen(installFilter(stub, session, BigInt('0x' + image.heldSignals)));
      const others = image.threads.slice(threads.length).map(({ tid }) => tid);
      threads.push(...createThreads(stub, session, others));
    }
    loop.discardTask(main.tid);
    if (!mainLives) endMainThread(stub, main, threads[0]);
    createTimers(stub, threads[0], image.timers);
    this.#threads = threads;
    return image;
  }

  /** The body's tasks, in the order of the image's threads. */
  get threads(): readonly StoppedTask[] {
    return this.#threads;
  }

  writePages(frame: Frame): void {
    writePages(this.#berth.stub.view, frame, this.#diversions);
  }

  /** Step 3, when all pages are there: it could run. */
  finish(): void {
    const { stub } = this.#berth;
    const image = this.#image;
    if (!image) throw new Error('Cannot finish a body before it is set up');
    image.threads.forEach((thread, i) => {
      completeThread(stub, this.#threads[i], thread, i === 0 ? image : undefined);
      setThreadContext(this.#threads[i], thread);
    });
    setMemoryLimits(stub.view, image.limits, layout.size);
    // Last of all: from here on nothing is injected that they could come in the way of.
    queueSignals(
      stub,
      image.pid,
      image.threads.map(({ tid }, i) => ({ tid, task: this.#threads[i] })),
      image.signals,
    );
  }
}
