/** A suite's output: JSON lines for programs, aligned columns for people. */
import type { Line, Summary } from './case.ts';

export function printLine(line: Line, json: boolean): void {
  process.stdout.write(`${json ? JSON.stringify(line) : forPeople(line)}\n`);
}

export function printSummary(summary: Summary, json: boolean): void {
  const words = `${summary.suite}: ${summary.passed} passed, ${summary.failed} failed, ${summary.skipped} skipped`;
  process.stdout.write(`${json ? JSON.stringify(summary) : words}\n`);
}

function forPeople(line: Line): string {
  const verdict = line.ok === null ? 'skip' : line.ok ? 'ok' : 'FAIL';
  const share = line.cpu > 0 ? `${Math.round((100 * line.cpuAway) / line.cpu)} %` : '-';
  const columns = [
    verdict.padEnd(5),
    line.case.padEnd(20),
    line.mode.padEnd(10),
    `moves ${line.moves}`.padEnd(10),
    `away ${share}`.padEnd(11),
    `calls ${line.forwarded}`.padEnd(14),
    `${line.seconds.toFixed(1)} s (home ${line.secondsHome.toFixed(1)} s)`,
  ];
  const reasons = Object.entries(line.reasons).map(([reason, count]) => `${reason} ×${count}`);
  const home = reasons.length === 0 ? '' : `  came home: ${reasons.join(', ')}`;
  return `${columns.join(' ')}${home}${line.why === '' ? '' : `\n      ${line.why}`}`;
}
