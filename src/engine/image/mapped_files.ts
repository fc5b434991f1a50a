/** Which files an address space maps, and which parts of them: both sides speak of that before a move. */
import type { Range } from '../../sys/remote_memory.ts';
import type { AddressSpace } from './image.ts';
import type { FileImage } from './image.ts';

export interface WantedFile {
  file: FileImage;
  ranges: Range[];
}

/** The files of an address space whose content does not travel with the process, and which parts of them are mapped. */
export function mappedFiles(space: AddressSpace): WantedFile[] {
  return space.files.flatMap((file, index) => {
    if (file.live) return [];
    const mapped = space.mappings.filter((m) => m.file === index);
    return [{ file, ranges: mapped.map((m) => ({ address: m.offset, length: m.end - m.start })) }];
  });
}

export function rangeKeys(space: AddressSpace): string[] {
  return space.mappings
    .filter((m) => m.file >= 0)
    .map((m) => `${space.files[m.file].identity} ${m.offset} ${m.end - m.start}`);
}
