/**
 * System V shared memory that a program has moved, or mapped twice, by mremap(2) while it was away. Its deputy does the
 * same when it comes home: what is mapped from a descriptor is the same memory, but the kernel does not take it for an
 * attachment (shmdt(2), shm_nattch).
 */
import { nr } from '../../sys/x64/numbers.ts';
import type { AddressSpace, MappingImage } from '../image/image.ts';
import type { InjectedCall } from '../task/stub.ts';

const MREMAP_MAYMOVE_FIXED = 3;

function isAt(a: MappingImage, b: MappingImage): boolean {
  return a.start - a.offset === b.start - b.offset && a.start < b.end && a.end > b.start;
}

/** The calls by which what the body has is attached at home as well; what is left over there is unmapped later. */
export function movedSegments(body: AddressSpace, home: AddressSpace): InjectedCall[] {
  const identity = (m: MappingImage, { files }: AddressSpace): string =>
    m.file >= 0 && files[m.file].segment ? files[m.file].identity : '';
  const attached = home.mappings.filter((m) => identity(m, home) !== '');
  return body.mappings.flatMap((wanted): InjectedCall[] => {
    const segment = identity(wanted, body);
    if (segment === '') return [];
    const same = attached.filter((m) => identity(m, home) === segment && m.readOnly === wanted.readOnly);
    if (same.some((m) => isAt(m, wanted))) return [];
    const length = wanted.end - wanted.start;
    const from = same.find((m) => m.offset <= wanted.offset && m.offset + m.end - m.start >= wanted.offset + length);
    const inTheWay = attached.some((m) => m.start < wanted.end && m.end > wanted.start);
    if (!from || inTheWay) return [];
    // mremap(2) of no bytes of a shared mapping makes another one of the same memory.
    const address = from.start + wanted.offset - from.offset;
    return [[nr.mremap, address, 0, length, MREMAP_MAYMOVE_FIXED, wanted.start]];
  });
}
