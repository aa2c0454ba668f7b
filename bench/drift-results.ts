/** Of a cell, each test's alarms, a bit a replication, four to a digit. */
export type DriftResults = { machine: string; cells: Record<string, { replications: number; alarms: Record<string, string> }> };

export function digitsOf(bits: readonly boolean[]): string {
  let digits = '';
  for (let at = 0; at < bits.length; at += 4) digits += [0, 1, 2, 3].reduce((sum, place) => sum + (bits[at + place] === true ? 1 << place : 0), 0).toString(16);
  return digits;
}

/** What `digitsOf` wrote. */
export const countOf = (digits: string): number =>
  [...digits].reduce((sum, digit) => sum + [...Number.parseInt(digit, 16).toString(2)].filter((bit) => bit === '1').length, 0);

/** The alarms one by one. */
export const bitsOf = (digits: string, count: number): boolean[] =>
  Array.from({ length: count }, (_, at) => ((Number.parseInt(digits[at >> 2] as string, 16) >> (at & 3)) & 1) === 1);
