const dayMs = 86_400_000;

/** The calendar day `days` after `day`; negative goes back. */
export function addDays(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * dayMs).toISOString().slice(0, 10);
}

/** Calendar days from one day to another. */
export function daysBetween(from: string, to: string): number {
  return Math.round((Date.parse(`${to}T00:00:00Z`) - Date.parse(`${from}T00:00:00Z`)) / dayMs);
}

/** The calendar day that it is in a zone. */
export function dayIn(timeZone: string, atMs: number): string {
  // Sweden writes dates as ISO does.
  return new Intl.DateTimeFormat('sv-SE', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' }).format(atMs);
}

/** When the calendar day begins in a zone, by bisection: days may have 23 or 25 hours, and begin at any of them. */
export function dayStartMs(timeZone: string, day: string): number {
  const utcMs = Date.parse(`${day}T00:00:00Z`);
  let [before, within] = [utcMs - dayMs, utcMs + dayMs];
  while (within - before > 1) {
    const middle = Math.floor((before + within) / 2);
    if (dayIn(timeZone, middle) < day) before = middle;
    else within = middle;
  }
  return within;
}
