import { percent } from '../percent.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import { type CanaryStudy, simulateCanaries } from '../canary/simulate-canaries.ts';

import { shortDigest } from './seeds.ts';

type Canary = Charter['release']['canary'];

export type CanaryCell = {
  id: string;
  what: string;
  champion: number;
  challenger: number;
  intent: 'replace' | 'refresh';
  shareCap: number;
  /** Users in all, after which there is no verdict. */
  users: number;
  runs: number;
  /** The number of users is known before, and the test aims at it. */
  isBounded?: boolean;
  /** What must hold, as shares of the runs, and users of the challenger to its verdict. */
  limits: { maxPromoted?: number; maxRolledBack?: number; minRolledBack?: number; minPromoted?: number; median?: number; p95?: number };
};
export type CanaryResult = Omit<CanaryStudy, 'regret' | 'regretFixedSplit' | 'fixedSplit'>;

const alpha = 0.01;
const small = { champion: 0.05, intent: 'replace', shareCap: 0.1 } as const;

/** Error rates and times that are promised for a conversion of 5 %, each error at 1 %. */
export const canaryCells: readonly CanaryCell[] = [
  { ...small, id: 'aa', what: 'the same variant twice', challenger: 0.05, users: 40_000, runs: 2_000, limits: { maxPromoted: alpha, maxRolledBack: alpha } },
  {
    ...small,
    id: 'aa-half',
    what: 'the same variant twice, up to half of the users',
    challenger: 0.05,
    shareCap: 0.5,
    users: 20_000,
    runs: 2_000,
    limits: { maxPromoted: alpha, maxRolledBack: alpha },
  },
  {
    ...small,
    id: 'aa-bounded',
    what: 'the same variant twice, the number of users known',
    challenger: 0.05,
    users: 40_000,
    runs: 1_000,
    isBounded: true,
    limits: { maxPromoted: alpha, maxRolledBack: alpha },
  },
  {
    ...small,
    id: 'worse-20',
    what: 'a fifth worse',
    challenger: 0.04,
    users: 250_000,
    runs: 500,
    limits: { minRolledBack: 0.95, maxPromoted: alpha, median: 5_000, p95: 12_000 },
  },
  {
    ...small,
    id: 'worse-20-bounded',
    what: 'a fifth worse, the number of users known',
    challenger: 0.04,
    users: 200_000,
    runs: 500,
    isBounded: true,
    limits: { minRolledBack: 0.95, maxPromoted: alpha, median: 4_600, p95: 9_500 },
  },
  {
    ...small,
    id: 'worse-50',
    what: 'half as good',
    challenger: 0.025,
    users: 60_000,
    runs: 400,
    limits: { minRolledBack: 0.99, maxPromoted: alpha, median: 850, p95: 1_700 },
  },
  {
    ...small,
    id: 'better-20',
    what: 'a fifth better, up to half of the users',
    challenger: 0.06,
    shareCap: 0.5,
    users: 100_000,
    runs: 100,
    limits: { minPromoted: 0.9, maxRolledBack: alpha },
  },
  {
    ...small,
    id: 'refresh-on-margin',
    what: 'a refresh that is worse by just the margin of a tenth',
    challenger: 0.045,
    intent: 'refresh',
    shareCap: 0.5,
    users: 40_000,
    runs: 400,
    limits: { maxPromoted: alpha },
  },
];

/** @param canary the charter's defaults */
export async function runCanaryCell({ cell, canary, seed }: { cell: CanaryCell; canary: Canary; seed: number }): Promise<CanaryResult> {
  const ladder = [...canary.ladder.filter((rung) => rung < cell.shareCap), cell.shareCap];
  const study = await simulateCanaries({
    canary: {
      ...canary,
      ladder,
      minUnits: ladder.map((_, place) => Math.min(500, 50 * 2 ** place)),
      alpha,
      refreshMargin: 0.1,
      ...(cell.isBounded === true ? { plannedUsers: cell.users } : {}),
    },
    intent: cell.intent,
    champion: cell.champion,
    challenger: cell.challenger,
    users: cell.users,
    runs: cell.runs,
    seed,
    againstFixedSplit: false,
  });
  const { runs, promoted, rolledBack, inconclusive, challengerUsersToDecision, usersInAll } = study;
  return { runs, promoted, rolledBack, inconclusive, challengerUsersToDecision, usersInAll };
}

/** What the first ten canaries of a cell came to, as digestDecisionCell. */
export async function digestCanaryCell({ cell, ...of }: Parameters<typeof runCanaryCell>[0]): Promise<string> {
  return shortDigest([JSON.stringify(await runCanaryCell({ ...of, cell: { ...cell, runs: 10 } }))]);
}

/** A sentence for each limit that is broken. */
export function canaryFailures({ id, limits }: CanaryCell, found: CanaryResult): string[] {
  const share = (count: number) => count / found.runs;
  const to = found.challengerUsersToDecision;
  const checks: [boolean, string][] = [
    [
      share(found.promoted) > (limits.maxPromoted ?? 1),
      `promoted in ${percent(share(found.promoted))} of its canaries, ${percent(limits.maxPromoted ?? 1)} at most`,
    ],
    [
      share(found.rolledBack) > (limits.maxRolledBack ?? 1),
      `rolled back in ${percent(share(found.rolledBack))} of its canaries, ${percent(limits.maxRolledBack ?? 1)} at most`,
    ],
    [
      share(found.promoted) < (limits.minPromoted ?? 0),
      `promoted in ${percent(share(found.promoted))} of its canaries, ${percent(limits.minPromoted ?? 0)} at least`,
    ],
    [
      share(found.rolledBack) < (limits.minRolledBack ?? 0),
      `rolled back in ${percent(share(found.rolledBack))} of its canaries, ${percent(limits.minRolledBack ?? 0)} at least`,
    ],
    [
      (to?.median ?? 0) > (limits.median ?? Number.POSITIVE_INFINITY),
      `decided after ${to?.median} users of the challenger in the median, ${limits.median} at most`,
    ],
    [(to?.p95 ?? 0) > (limits.p95 ?? Number.POSITIVE_INFINITY), `decided after ${to?.p95} users of the challenger in 95 %, ${limits.p95} at most`],
  ];
  return checks.filter(([broken]) => broken).map(([, sentence]) => `The canary ${id} was ${sentence}.`);
}
