/** What the balancer decided, in words. */
import { formatMilliseconds } from '../lib/format.ts';
import type { DecisionRow, WhyAnswer } from '../wire/command_protocol.ts';

/** For `mosps --why`: one sentence, the figures behind it, and what came before. */
export function whyText({ pid, last, events }: WhyAnswer): string {
  if (last === undefined)
    return `Nothing was decided about process ${pid}: it is no process of a job (mosrun), or the balancer is off.\n`;
  const lines = [sentence(last), ...figureLines(last)];
  const before = events.filter((one) => one !== last && one.seq !== last.seq);
  if (before.length > 0) lines.push('', 'Before that:', ...before.map((one) => `  ${eventText(one)}`));
  return `${lines.join('\n')}\n`;
}

/** One line for `mosix events`. */
export function eventText(row: DecisionRow): string {
  const time = new Date(row.at).toISOString().slice(11, 19);
  const what = row.kind === 'gained' ? `on ${row.to ?? '?'}` : `${row.from} → ${row.to ?? '?'}`;
  const freeze = row.freezeMs === undefined ? '' : `; it stood still for ${formatMilliseconds(row.freezeMs)}`;
  return `${time} ${row.pid} ${row.kind} ${what}: ${row.why}${freeze}`;
}

function sentence({ pid, kind, from, to, why }: DecisionRow): string {
  switch (kind) {
    case 'moved':
      return `Process ${pid} moved from ${from} to ${to ?? '?'}: ${why}.`;
    case 'gained':
    case 'stays':
      return `Process ${pid} stays on ${from}: ${why}.`;
    case 'refused':
    case 'failed':
      return `Process ${pid} stays on ${from}, but was to go to ${to ?? '?'}: ${why}.`;
  }
}

function figureLines({ from, to, figures }: DecisionRow): string[] {
  if (figures === undefined || to === undefined) return [];
  const { demandHere, demandThere, progressHere, progressThere, horizonMs, costMs, gainMs, neededMs } = figures;
  const percent = (part: number): string => `${Math.round(part * 100)} %`;
  return [
    `  on ${from}: ${demandHere.toFixed(1)} tasks want the CPUs; it makes ${percent(progressHere)} of what a standard CPU makes`,
    `  on ${to}: ${demandThere.toFixed(1)} without it; it would make ${percent(progressThere)}`,
    `  expected to go on for ${formatMilliseconds(horizonMs)}; moving costs ${formatMilliseconds(costMs)}; ` +
      `gain ${formatMilliseconds(Math.max(0, gainMs))}, needed ${formatMilliseconds(neededMs)}`,
  ];
}
