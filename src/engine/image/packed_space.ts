/**
 * An address space as it travels. A process may have 65,530 mappings (vm.max_map_count), and as objects in JSON each would be
 * 120 bytes. What they are is of few kinds; where they are is told in a few bytes each.
 */
import type { FileImage, MappingImage, SpaceImage } from './image.ts';

type Kind = Omit<MappingImage, 'start' | 'end' | 'offset'>;

export interface PackedSpace {
  readonly files: FileImage[];
  readonly limits: [string, string][];
  readonly rings: boolean;
  readonly kinds: Kind[];
  /**
   * In base64, of each mapping four numbers in LEB128: pages between the mapping before and this one, pages in it, its kind,
   * and, of a file's, the page of the file that it begins with.
   */
  readonly mappings: string;
}

const pageSize = 4096;
/** LEB128 of 52 bits: a page's number in an address space of 64 bits. */
const longestNumber = 8;

export function packSpace({ mappings, files, limits, rings }: SpaceImage): PackedSpace {
  const kinds = new Map<string, { kind: Kind; index: number }>();
  const bytes = new Uint8Array(mappings.length * 4 * longestNumber);
  let length = 0;
  const put = (number: number): void => {
    let rest = number;
    for (; rest >= 128; rest = Math.floor(rest / 128)) bytes[length++] = (rest % 128) + 128;
    bytes[length++] = rest;
  };
  let before = 0;
  for (const { start, end, offset, ...kind } of mappings) {
    const key = JSON.stringify(kind);
    const entry = kinds.get(key) ?? { kind, index: kinds.size };
    kinds.set(key, entry);
    put((start - before) / pageSize);
    put((end - start) / pageSize);
    put(entry.index);
    if (kind.file >= 0) put(offset / pageSize);
    before = end;
  }
  const packed = Buffer.from(bytes.buffer, 0, length).toString('base64');
  return { files, limits, rings, kinds: Array.from(kinds.values(), ({ kind }) => kind), mappings: packed };
}

export function unpackSpace({ files, limits, rings, kinds, mappings }: PackedSpace): SpaceImage {
  const bytes = Buffer.from(mappings, 'base64');
  let at = 0;
  const take = (): number => {
    let value = 0;
    for (let unit = 1; ; unit *= 128) {
      if (at >= bytes.length) throw new RangeError('Cannot read an address space: it breaks off');
      const byte = bytes[at++];
      value += (byte % 128) * unit;
      if (byte < 128) return value;
    }
  };
  const out: MappingImage[] = [];
  for (let before = 0; at < bytes.length;) {
    const start = before + take() * pageSize;
    const end = start + take() * pageSize;
    const kind = kinds.at(take());
    if (!kind) throw new RangeError('Cannot read an address space: it has a mapping of no kind');
    const offset = kind.file >= 0 ? take() * pageSize : 0;
    out.push({ ...kind, start, end, offset });
    before = end;
  }
  return { mappings: out, files, limits, rings };
}
