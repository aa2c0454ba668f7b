import type { ReleaseOutcome } from '../../models/contracts/release.ts';

/** One candidate's way, as the story expects it. `slatesBefore` are logged first, so that there is something to learn from. */
export type Act = {
  candidate: string;
  title: string;
  guest: 'off-by-one' | null;
  slatesBefore: number;
  expected: ReleaseOutcome;
};

/** The story of the example: each outcome is decided by evidence in the run, and the run fails where it turns out otherwise. */
export const acts: readonly Act[] = [
  { candidate: 'popularity', title: 'popularity goes live by the bootstrap rule', guest: null, slatesBefore: 0, expected: 'promoted' },
  { candidate: 'ials', title: 'matrix factorization earns the traffic', guest: null, slatesBefore: 8_000, expected: 'promoted' },
  { candidate: 'off-by-one', title: 'a guest model with a shifted vocabulary', guest: 'off-by-one', slatesBefore: 0, expected: 'refused' },
  { candidate: 'buy-again', title: 'looks better offline, is worse for shoppers', guest: null, slatesBefore: 0, expected: 'rolled-back' },
];
