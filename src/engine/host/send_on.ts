/**
 * The middle of an onward move: the hosting node sends the body to the next one, directly. Home decides what counts
 * (onward_move.ts); until then the body is only stopped. See docs/internals/onward.md.
 */
import { frameType } from '../../wire/frames.ts';
import type { Body } from './body.ts';
import type { FrozenThread } from './body_freeze.ts';
import { bodyState } from './body_image.ts';
import type { GoingOn, OnwardOrder } from '../image/onward_messages.ts';
import { contentRanges } from '../image/capture.ts';
import { rangeKeys } from '../image/mapped_files.ts';
import type { SignalImage, SpaceImage, Timers } from '../image/image.ts';
import { packSpace } from '../image/packed_space.ts';
import { sendPages } from '../image/page_stream.ts';
import { connectHost, type Dialer } from '../image/dial.ts';
import type { GoingOnPoint } from './host_context.ts';
import type { Meeting } from '../link/meeting.ts';
import { noTimers } from '../image/timers.ts';

const attachDeadline = 5000;
const freezeDeadline = 60_000;

/** What is given back to a body that stays after all. */
export interface Paused {
  frozen: FrozenThread[];
  signals: SignalImage[];
  timers: Timers;
}

export interface OnwardSource {
  readonly body: Body;
  space(): SpaceImage;
  /** All of it is under way. */
  tellHome(message: GoingOn): void;
  /** The mapped files that home was told of (`rangeKeys`). */
  readonly surveyed: ReadonlySet<string>;
  /** No more calls; false when the body is going home already. */
  pause(): boolean;
  paused(paused: Paused): void;
  /** Those that go on with it. */
  readonly company: Meeting<GoingOnPoint> | undefined;
  /** A descriptor of a file that is mapped shared and writable. */
  liveFile(identity: string): number | undefined;
}

/** What stands in the way of the move passes. */
export class NotNow extends Error {}

const sharing = 'between vfork and exec two share its memory';
/** How long a vfork is waited for, and how often one looks, milliseconds: between two of them there may be only a few. */
const vforkPatience = 3000;
const vforkLook = 1;

async function untilAlone(body: Body): Promise<void> {
  const giveUp = performance.now() + vforkPatience;
  while (body.threads.some(({ lodger }) => lodger)) {
    if (performance.now() > giveUp) throw new NotNow(sharing);
    await body.loop.sleep(vforkLook);
  }
}

/** Freezes and sends the body. @throws whatever came in between before home heard that it is on its way */
export async function sendOn(dialer: Dialer, { to, ticket }: OnwardOrder, source: OnwardSource): Promise<void> {
  const { body, company } = source;
  const link = await connectHost(dialer, to);
  try {
    const attached = link.expect([frameType.attached], attachDeadline);
    link.sendJson(frameType.attach, { ticket });
    await attached;
    await untilAlone(body);
    await company?.meet('attached');
    if (!source.pause()) throw new NotNow('it comes home');
    const start = performance.now();
    const frozen = await body.freeze(freezeDeadline);
    link.peerPatience = 'frozen';
    if (frozen.length === 0) return company?.fail(new NotNow('one of them has ended')); // it is reported by itself
    const paused: Paused = { frozen, signals: [], timers: noTimers };
    source.paused(paused);
    await company?.meet('frozen'); // what is sent of shared memory changes no more
    if (frozen.some(({ thread }) => thread.lodger)) throw new NotNow(sharing);
    const space = source.space();
    if (!rangeKeys(space).every((key) => source.surveyed.has(key)))
      throw new NotNow('it has mapped another file meanwhile');
    link.sendJson(frameType.space, packSpace(space));
    paused.signals = body.signals.takeAll();
    const image = bodyState(body, frozen);
    paused.timers = image.timers;
    image.signals.push(...paused.signals);
    const signalsReceived = body.signals.received;
    link.sendJson(frameType.image, image);
    await sendPages(
      link,
      body.hostPid,
      contentRanges(body.hostPid, space, (identity) => source.liveFile(identity)),
    );
    const frozenFor = performance.now() - start;
    source.tellHome({ signalsReceived, frozenFor, calls: body.calls.entries() });
    link.sendFrame(frameType.complete, 0);
    await link.drained().catch(() => {}); // the next node tells home
  } finally {
    link.close();
  }
}
