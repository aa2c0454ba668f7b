import { readReports } from '../../stores/reports.ts';
import type { State } from '../context.ts';

type Old = { surface: string; beforeMs: number; certificate: string };

/** What was said in reports that were closed before then, and by whom. What was done about them stays. @returns how many words are gone */
export async function eraseOldReports({ blobs, generations }: State, { surface, beforeMs, certificate }: Old): Promise<number> {
  let count = 0;
  for (const { text, closedAtMs } of await readReports(generations, surface)) {
    if (closedAtMs === null || closedAtMs >= beforeMs || !(await blobs.has(text))) continue;
    await blobs.erase(text, certificate);
    count += 1;
  }
  return count;
}
