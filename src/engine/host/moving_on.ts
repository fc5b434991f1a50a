/**
 * Orders to go on to another node, as the node that has the body sees them: one after the other. Home may give one up at
 * any moment, and give another one at once; what home wants next waits until the last order has come to its end here, and
 * the body runs again. See docs/internals/onward.md.
 */
import { frameType } from '../../wire/frames.ts';
import type { Body } from './body.ts';
import type { Dialer } from '../image/dial.ts';
import type { GuestFiles } from './guest_files.ts';
import type { GoingOnPoint, HostContext } from './host_context.ts';
import type { SpaceImage } from '../image/image.ts';
import { mappedFiles, rangeKeys } from '../image/mapped_files.ts';
import type { OnwardOrder } from '../image/onward_messages.ts';
import { keepTimers, noTimers } from '../image/timers.ts';
import type { GuestLink } from '../link/link.ts';
import { Meeting } from '../link/meeting.ts';
import { NotNow, sendOn, type OnwardSource, type Paused } from './send_on.ts';

/** Milliseconds after which those that go on together have done so, or given up: more than home waits for each. */
const companyLife = 300_000;

export interface MovingGuest {
  readonly context: Dialer & Pick<HostContext<never>, 'companies'>;
  readonly home: GuestLink;
  readonly files: GuestFiles;
  readonly body: () => Body;
  readonly space: () => SpaceImage;
  /** @returns false when it does not come from the other of the two */
  readonly enter: (state: 'moving' | 'running') => boolean;
}

export class MovingOn {
  readonly #guest: MovingGuest;
  /** The mapped files that home was told of (`rangeKeys`). */
  readonly #surveyed = new Set<string>();
  /** An order is being carried out. */
  #sending = false;
  /** It is to run on here as soon as that has come to its end. */
  #givenUp = false;
  #paused: Paused | undefined;
  /** Those that go on with it. */
  #company: Meeting<GoingOnPoint> | undefined;
  #next: (() => void)[] = [];

  constructor(guest: MovingGuest) {
    this.#guest = guest;
  }

  /** Home asks which files the body maps. */
  survey(question: number): void {
    const space = this.#guest.space();
    for (const key of rangeKeys(space)) this.#surveyed.add(key);
    this.#guest.home.sendJson(frameType.surveyed, { files: mappedFiles(space) }, question);
  }

  goOn(order: OnwardOrder, question: number): void {
    this.afterwards(() => this.#send(order, question));
  }

  /** Home has given it up: it goes on here. */
  stay(): void {
    this.#company?.fail(new NotNow('home has given it up'));
    if (this.#sending) this.#givenUp = true;
    else this.#runHere();
  }

  /** Does it when no order is being carried out. */
  afterwards(work: () => void): void {
    if (this.#sending) this.#next.push(work);
    else work();
  }

  /** The guest is no more. */
  end(): void {
    this.#company?.fail(new NotNow('one of them has ended'));
    this.#next = [];
  }

  #send(order: OnwardOrder, question: number): void {
    const { context, home } = this.#guest;
    const company = (this.#company = this.#companyOf(order.company));
    this.#sending = true;
    this.#givenUp = false;
    this.#paused = undefined;
    const done = (): void => {
      this.#sending = false;
      if (this.#givenUp) this.#runHere();
      for (const work of this.#next.splice(0)) this.afterwards(work);
    };
    context.loop.start(
      async () => {
        await sendOn(context, order, this.#source(company, question));
        done();
      },
      (error) => {
        const failure = error instanceof Error ? error : new Error(String(error));
        company?.fail(failure);
        home.sendJson(frameType.goingOn, { failed: failure.message, passing: error instanceof NotNow }, question);
        this.#givenUp = true;
        done();
      },
    );
  }

  #source(company: Meeting<GoingOnPoint> | undefined, question: number): OnwardSource {
    const { body, home, files, space, enter } = this.#guest;
    return {
      body: body(),
      company,
      surveyed: this.#surveyed,
      space,
      pause: () => enter('moving'),
      paused: (paused) => {
        this.#paused = paused;
        files.writeBack(true); // the next node takes that for what home has
        files.still = true;
      },
      liveFile: (identity) => files.descriptor(identity),
      tellHome: (message) => home.sendJson(frameType.goingOn, message, question),
    };
  }

  #companyOf(order: OnwardOrder['company']): Meeting<GoingOnPoint> | undefined {
    if (!order) return undefined;
    const { companies, loop } = this.#guest.context;
    const known = companies.get(order.id) ?? new Meeting<GoingOnPoint>(loop, order.size);
    if (!companies.has(order.id)) loop.after(companyLife, () => companies.delete(order.id));
    companies.set(order.id, known);
    return known;
  }

  #runHere(): void {
    const { files, body, enter } = this.#guest;
    if (!enter('running')) return;
    files.still = false;
    const { frozen = [], signals = [], timers = noTimers } = this.#paused ?? {};
    if (frozen.length) keepTimers(body().stub, frozen[0].task, timers);
    body().goOn(frozen, signals);
    this.#paused = undefined;
  }
}
