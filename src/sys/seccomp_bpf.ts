/**
 * An assembler for the classic BPF that seccomp runs (linux/filter.h, seccomp(2)): instructions with labels in, an array
 * of `struct sock_filter` out.
 *
 * A conditional jump reaches only 255 instructions ahead. One that has farther to go is widened into a pair of
 * unconditional jumps, which reach anywhere; so programs need not care how long they are.
 */

export type Label = string;

/** `branch` compares the loaded word as unsigned; 'any' is true if a bit of `value` is set. A missing target is the next instruction. */
export type Instruction =
  | { readonly op: 'label'; readonly name: Label }
  | { readonly op: 'load'; readonly offset: number }
  | { readonly op: 'and'; readonly value: number }
  | { readonly op: 'jump'; readonly to: Label }
  | {
      readonly op: 'branch';
      readonly test: 'equal' | 'greater' | 'greaterOrEqual' | 'any';
      readonly value: number;
      readonly yes?: Label;
      readonly no?: Label;
    }
  | { readonly op: 'return'; readonly value: number };

/** Size of `struct sock_filter`. */
export const filterInstructionSize = 8;

/** BPF_MAXINSNS: the kernel takes no longer program. */
const longestProgram = 4096;
const farthestBranch = 255;

const codes = {
  load: 0x20, // BPF_LD | BPF_W | BPF_ABS
  and: 0x54, // BPF_ALU | BPF_AND | BPF_K
  jump: 0x05, // BPF_JMP | BPF_JA
  equal: 0x15, // BPF_JMP | BPF_JEQ | BPF_K
  greater: 0x25, // BPF_JMP | BPF_JGT | BPF_K
  greaterOrEqual: 0x35, // BPF_JMP | BPF_JGE | BPF_K
  any: 0x45, // BPF_JMP | BPF_JSET | BPF_K
  return: 0x06, // BPF_RET | BPF_K
} as const;

/** A program that cannot be assembled: a fault of whoever wrote it. */
export class BpfError extends Error {
  override readonly name = 'BpfError';
}

export function assembleBpf(program: readonly Instruction[]): Uint8Array {
  const wide = new Set<number>();
  let places = placeInstructions(program, wide);
  // Widening one branch moves others farther apart; each round widens at least one more, so this ends.
  for (let grown = tooFar(program, places, wide); grown.length > 0; grown = tooFar(program, places, wide)) {
    for (const index of grown) wide.add(index);
    places = placeInstructions(program, wide);
  }
  if (places.length > longestProgram)
    throw new BpfError(`Cannot assemble a filter: ${places.length} instructions, ${longestProgram} allowed`);
  return encode(program, places, wide);
}

interface Places {
  /** First machine instruction of each instruction of the program. */
  readonly starts: readonly number[];
  readonly labels: ReadonlyMap<Label, number>;
  readonly length: number;
}

function placeInstructions(program: readonly Instruction[], wide: ReadonlySet<number>): Places {
  const starts: number[] = [];
  const labels = new Map<Label, number>();
  let length = 0;
  for (const [index, instruction] of program.entries()) {
    starts.push(length);
    if (instruction.op !== 'label') length += wide.has(index) ? 3 : 1;
    else if (labels.has(instruction.name))
      throw new BpfError(`Cannot assemble a filter: label ${instruction.name} stands twice`);
    else labels.set(instruction.name, length);
  }
  return { starts, labels, length };
}

/** Branches that are still short and should not be. */
function tooFar(program: readonly Instruction[], places: Places, wide: ReadonlySet<number>): number[] {
  return [...program.keys()].filter((index) => {
    const instruction = program[index];
    if (instruction.op !== 'branch' || wide.has(index)) return false;
    const at = places.starts[index] + 1;
    return [instruction.yes, instruction.no].some((to) => distance(places, at, to) > farthestBranch);
  });
}

/** Instructions to skip from `next` to reach `to`. The kernel forbids going back. */
function distance(places: Places, next: number, to: Label | undefined): number {
  if (to === undefined) return 0;
  const target = places.labels.get(to);
  if (target === undefined) throw new BpfError(`Cannot assemble a filter: no label ${to}`);
  if (target < next) throw new BpfError(`Cannot assemble a filter: ${to} lies behind`);
  return target - next;
}

function encode(program: readonly Instruction[], places: Places, wide: ReadonlySet<number>): Uint8Array {
  const bytes = new Uint8Array(places.length * filterInstructionSize);
  const view = new DataView(bytes.buffer);
  const put = (at: number, code: number, k: number, yes = 0, no = 0): void => {
    const offset = at * filterInstructionSize;
    view.setUint16(offset, code, true);
    view.setUint8(offset + 2, yes);
    view.setUint8(offset + 3, no);
    view.setUint32(offset + 4, k >>> 0, true);
  };
  for (const [index, instruction] of program.entries()) {
    const at = places.starts[index];
    switch (instruction.op) {
      case 'label':
        break;
      case 'load':
        put(at, codes.load, instruction.offset);
        break;
      case 'and':
      case 'return':
        put(at, codes[instruction.op], instruction.value);
        break;
      case 'jump':
        put(at, codes.jump, distance(places, at + 1, instruction.to));
        break;
      case 'branch':
        if (wide.has(index)) {
          put(at, codes[instruction.test], instruction.value, 0, 1);
          // A missing target is whatever follows all three.
          put(at + 1, codes.jump, instruction.yes === undefined ? 1 : distance(places, at + 2, instruction.yes));
          put(at + 2, codes.jump, distance(places, at + 3, instruction.no));
        } else {
          put(
            at,
            codes[instruction.test],
            instruction.value,
            distance(places, at + 1, instruction.yes),
            distance(places, at + 1, instruction.no),
          );
        }
        break;
    }
  }
  return bytes;
}
