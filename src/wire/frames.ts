/** Frames of a guest link (docs/internals/slots.md): header, types and limits. */

/** u32 payload length, u16 type, u16 zero, u64 id, u32 channel, u32 zero. */
export const frameHeader = 24;
/** Largest payload. Larger frames save headers, smaller ones let other guests' calls through sooner. */
export const maximumFrame = 4 << 20;
/** A peer that does not read is given up when this much waits for it. */
export const maximumQueued = 64 << 20;
export const protocolVersion = 13;

export const frameType = {
  /** home → hosting: what is to come; prepare a body. */
  prepare: 1,
  /** hosting → home: prepared; which file pages are missing. */
  prepared: 2,
  /** home → hosting: u32 file, u32 zero, u64 offset, bytes. */
  filePages: 3,
  /** home → hosting: the address space of the frozen process. */
  space: 4,
  /** both ways: u32 runs, u32 zero, per run u64 address, u64 length; then the bytes. */
  pages: 5,
  /** both ways, before the pages: the rest of the process. */
  image: 6,
  ready: 7,
  go: 8,
  /** either side, before `go`: give up, with the reason. */
  abort: 9,
  /** hosting → home: a system call. */
  request: 10,
  /** home → hosting: its result. */
  reply: 11,
  /** both ways: part of a large transfer of a call: u64 offset, bytes. */
  bulk: 12,
  /** hosting → home: end a forwarded call early. */
  interrupt: 13,
  /** home → hosting: a signal arrived for the process. */
  signal: 14,
  /** home → hosting: come home. */
  recall: 15,
  /** hosting → home: the address space of the body that comes home. */
  homecoming: 16,
  /** hosting → home: the body ended. home → hosting: the deputy ended. */
  ended: 17,
  /** home → hosting: stopped (SIGSTOP and the like) or continued. */
  stopped: 18,
  continued: 19,
  /** hosting → home: begin a call with a large transfer. */
  largeRequest: 20,
  /** hosting → home: what the body uses; asked for by `measure`, and told when it begins and before it ends. */
  use: 21,
  /** hosting → home: a mapped file's pages are wanted; answered by `filePages` and `mapped`. */
  mapFile: 22,
  mapped: 23,
  /** hosting → home: a new thread is wanted; answered by `reply` with its id, -errno, or `noSlot`. */
  thread: 24,
  /** hosting → home: a signal's default action (stop) took place at the body. */
  signalTaken: 25,
  /** hosting → home: the program changed an action that the home kernel must know. */
  mirrorAction: 26,
  /** hosting → home: a thread ended. */
  threadEnded: 27,
  /** home → hosting: what do your clocks say? Answered by the same type. */
  clock: 28,
  /** both ways: nothing more comes on this channel. */
  channelClosed: 29,
  /** hosting → home: a process is wanted; answered by `forked`. */
  fork: 30,
  forked: 31,
  /** hosting → home: it could not be made there after all. */
  unborn: 32,
  /** hosting → home: the program executes another one; a failure is answered by `reply`. */
  execute: 33,
  /** home → hosting: it did, and the body is of no use any more. */
  executed: 34,
  /** home → hosting: a lodger has executed a program, or ended. */
  lodgerLeft: 35,
  /** hosting → home: a signal ended a lodger. */
  lodgerEnded: 36,
  /** home → hosting, before an onward move: which files does the body map? */
  survey: 37,
  surveyed: 38,
  /** home → hosting: go on to another node, to which this ticket gives entrance. */
  goOn: 39,
  /** hosting → home: frozen, and on its way to the other node; or why not. */
  goingOn: 40,
  /** home → hosting: the body is the other node's now, or stays after all. */
  wentOn: 41,
  stay: 42,
  /** hosting → next hosting node: the body for this ticket comes over this connection. */
  attach: 43,
  attached: 44,
  /** home → hosting: what does the body use? Answered by `use`. */
  measure: 45,
  /** hosting → home: what the program wrote to a file that it maps shared. */
  writeBack: 46,
  /** hosting → home: these files are to reach their disk; answered by `reply`. */
  syncFiles: 47,
  /** both ways: the beginning of a message that does not fit one frame; the frame that ends it has its type. */
  beginning: 48,
  /** home → hosting: another process comes over this connection, which shares memory with this one. */
  member: 49,
  /** hosting → home: may reads of a descriptor be answered here? home → hosting: from where on, or no. */
  readAhead: 50,
  /** hosting → home: a part of such a file is wanted; answered by `readData`: u32 grant, u32 zero, u64 offset, bytes. */
  readMore: 51,
  readData: 52,
  /** hosting → home: the program's position in it. */
  readAt: 53,
  /** hosting → home: its last position, from now on home answers. home → hosting: give it back. */
  readEnd: 54,
  /** both ways, after the pages: that was all. */
  complete: 55,
  /** hosting → home: the program attaches System V shared memory; answered by `mapped`. */
  attachSegment: 56,
  /** hosting → home: it is attached at another place than home's answer said, or not at all. */
  moveSegment: 57,
} as const;

/** Home's reply to `thread` when all its slots are taken: no error that a program may see (linux/errno.h: ENOTSUPP). */
export const noSlot = -524;
