/** How far home's clocks are ahead of a hosting node's, asked over a guest link before the process is frozen. */
import { frameType } from '../../wire/frames.ts';
import { readClock } from '../task/clocks.ts';
import type { Preparation } from './image.ts';
import type { GuestLink } from '../link/link.ts';

const answerDeadline = 30_000;

/** At least so many; and as long as none was quick, more of them: on a busy machine most answers come late. */
const exchanges = 5;
const quick = 300_000n;
/** Nanoseconds. */
const patience = 30_000_000n;

/** Of several exchanges the fastest tells best; its error is at most half its round trip. */
export async function measureClockOffsets(link: GuestLink): Promise<Preparation['clockOffsets']> {
  const begin = readClock('monotonic');
  const isEnough = (): boolean => best <= quick || readClock('monotonic') - begin > patience;
  let best = 2n ** 62n;
  let offsets = { monotonic: '0', boottime: '0' };
  for (let i = 0; i < exchanges || !isEnough(); i++) {
    const answer = link.expect([frameType.clock], answerDeadline);
    const sent = readClock('monotonic');
    const boot = readClock('boottime');
    link.sendJson(frameType.clock, {});
    const { text } = await answer;
    const roundTrip = readClock('monotonic') - sent;
    if (roundTrip >= best) continue;
    best = roundTrip;
    // cast: the peer has proved the cluster's key; a missing number makes BigInt throw
    const theirs = JSON.parse(text) as { monotonic: string; boottime: string };
    const half = roundTrip / 2n;
    offsets = {
      monotonic: String(sent + half - BigInt(theirs.monotonic)),
      boottime: String(boot + half - BigInt(theirs.boottime)),
    };
  }
  return offsets;
}
