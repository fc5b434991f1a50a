/** Pressure stall information: the part of time in which tasks wait for a resource (Documentation/accounting/psi.rst). */

/** The average of the last ten seconds in which some task waited, 0 to 1; 0 if the text does not say. */
export function someStalled(text: string): number {
  return Number(/^some avg10=([\d.]+)/m.exec(text)?.[1] ?? 0) / 100;
}
