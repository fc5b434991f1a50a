/** What a hosting node maps where the program mapped a file at home. */
import type { Range } from '../../sys/remote_memory.ts';
import type { FileImage } from './image.ts';

/** Content of a file on the hosting node, which bodies map. */
export interface MappableFile {
  readonly image: FileImage;
  readonly inode: number;
  /** What is mapped. */
  readonly mapDescriptor: number;
  /** The same, for mappings that cannot be made writable. */
  readonly readDescriptor: number;
  /** Parts of the wanted ranges (byte offsets) that are not here yet. */
  missing(wanted: readonly Range[]): Range[];
  /** Stores received bytes; `offset` is a multiple of the page size. */
  store(offset: number, local: number, length: number): void;
}
