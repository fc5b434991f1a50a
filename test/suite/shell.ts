/** Sessions at a terminal as cases: an interactive shell, or a full-screen program, that moves while somebody types. */
import { join } from 'node:path';
import { sessions } from './shell/sessions.ts';
import type { Session } from './shell/session.ts';
import type { Case } from './case.ts';

/** What all the typing takes, in seconds; modes that move often count from five moves. */
const seconds = 4;
const longerBy = 3;
const briefSeconds = 1;
/** Away at about a quarter of the time and home again at two thirds. */
const leaveAt = 0.25;
const backAt = 0.66;

export async function shellCases(): Promise<Case[]> {
  return sessions.map((session) => {
    const brief = lasting(session, briefSeconds);
    return { ...lasting(session, seconds), brief, longer: { ...lasting(session, longerBy * seconds), brief } };
  });
}

function lasting(session: Session, duration: number): Case {
  const command = [process.execPath, join(import.meta.dirname, 'shell', 'type.ts'), session.name, String(duration)];
  return {
    name: session.name,
    packages: ['bash', 'perl-base', 'ncurses-base', ...(session.packages ?? [])],
    hide: [],
    command,
    launcherAt: command.length,
    staysAway: !session.executes,
    verify: { file: 'stdout' },
    ends: 'exit 0',
    announces: true,
    movesAnother: true,
    schedule: { leave: leaveAt * duration, back: backAt * duration },
    shareAway: 0,
  };
}
