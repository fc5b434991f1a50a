/** The home side of files that a process maps shared and writable while it is away. See docs/internals/sharing.md. */
import { frameType } from '../../wire/frames.ts';
import type { IdentifyFile } from '../image/capture.ts';
import type { FileSupply } from './file_supply.ts';
import type { FileImage } from '../image/image.ts';
import { frameJson, type Frame } from '../link/link.ts';
import type { SharingSet } from './sharing_set.ts';
import type { KnownFiles } from './take_back.ts';

export class LiveAtHome {
  readonly #recall: () => void;
  readonly #company: () => readonly number[];
  #supply: FileSupply;
  /** Why the process was called back; else empty. */
  reason = '';

  /** @param company those that are away together, the process among them */
  constructor(supply: FileSupply, { recall, company }: { recall: () => void; company: () => readonly number[] }) {
    this.#supply = supply;
    this.#recall = recall;
    this.#company = company;
  }

  /** From now on: the files of this supply. */
  watch(supply: FileSupply): void {
    this.#supply = supply;
    supply.watch.onOpen = () => this.#bringHome('somebody opened a file that it maps shared');
    if (supply.watch.opened) supply.watch.onOpen();
    supply.attachments.listen((descriptor) => {
      if (supply.hasStranger(descriptor, this.#company()))
        this.#bringHome('somebody attached System V shared memory that it has attached');
    });
  }

  /** Whether a call that writes through a descriptor writes to such a file: only at home the two are one. */
  touches(fd: number): boolean {
    if (!this.#supply.isLive(fd)) return false;
    this.#bringHome('it writes to a file that it maps shared');
    return true;
  }

  /** What is mapped at home for the files of the body. */
  known(identify: IdentifyFile, set: SharingSet | undefined): KnownFiles {
    const descriptor = (file: FileImage): number | undefined =>
      this.#supply.files.descriptor(file.identity) ?? (file.live ? set?.descriptor(file) : undefined);
    return { identify, descriptor };
  }

  onFrame(frame: Frame): void {
    if (frame.type === frameType.writeBack) this.#supply.writeBack(frameJson(frame));
    else this.#supply.sync();
  }

  #bringHome(reason: string): void {
    this.reason = reason;
    this.#recall();
  }
}
