/** What is said about a migration: its steps, progress and results. */
import type { CallCounts } from './call_statistics.ts';
import type { SpaceImage, StateImage } from './image.ts';

/** The steps of a migration before it is decided, in their order. */
export const migrationSteps = [
  'connected',
  'prepared',
  'frozen',
  'captured',
  'image-sent',
  'pages-sent',
  'ready',
] as const;
export type MigrationStep = (typeof migrationSteps)[number];

/** The steps of a move from one hosting node to the next, before home decides. */
export const onwardSteps = ['onward-prepared', 'onward-going', 'onward-ready'] as const;
export type OnwardStep = (typeof onwardSteps)[number];

export interface Peer {
  name: string;
  address: string;
  guestPort: number;
}

export type Progress = (phase: string, bytes: number, total: number) => void;

export interface MigrationResult {
  pid: number;
  to: string;
  freezeMs: number;
  totalMs: number;
  bytes: number;
  threads: number;
}

export interface ReturnResult {
  pid: number;
  from: string;
  freezeMs: number;
  totalMs: number;
  bytes: number;
}

/** What `mosps` shows of a process that is away or on its way. */
export interface Traveller {
  readonly pid: number;
  readonly uid: number;
  readonly command: string;
  readonly peer: Peer;
  readonly since: number;
  readonly state: string;
  readonly served: number;
  readonly threads: number;
  readonly memoryBytes: number;
  /** Nanoseconds. */
  readonly cpuTimeAway: number;
  readonly reason: string;
}

/** What the hosting node says first of a body that comes home. */
export interface HomecomingMessage<Space = SpaceImage> {
  space: Space;
  reason: string;
  frozenFor: number;
  /** What its pages are going to be. */
  bytesToCome: number;
  calls: CallCounts;
}

/** And last. */
export interface HomecomingState extends StateImage {
  signalsReceived: number;
}
