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

/** Whether no byte of a file is without a mapping. */
export function mapsAllOf({ mappings, files }: AddressSpace, { identity, size }: FileImage): boolean {
  const parts = mappings.filter((m) => m.file >= 0 && files[m.file].identity === identity);
  let end = 0;
  for (const m of parts.toSorted((a, b) => a.offset - b.offset))
    if (m.offset <= end) end = Math.max(end, m.offset + m.end - m.start);
  return end >= size;
}

/** Names for parts of files, to be looked up by. */
export function wantedKeys(wanted: readonly WantedFile[]): string[] {
  return wanted.flatMap(({ file, ranges }) => ranges.map((range) => keyOf(file, range.address, range.length)));
}

/** Those of all files that are mapped, live ones too. */
export function rangeKeys({ mappings, files }: AddressSpace): string[] {
  return mappings.filter((m) => m.file >= 0).map((m) => keyOf(files[m.file], m.offset, m.end - m.start));
}

const keyOf = ({ identity }: FileImage, offset: number, length: number): string => `${identity} ${offset} ${length}`;
