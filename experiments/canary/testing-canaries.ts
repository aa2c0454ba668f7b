import type { CanaryInput } from './decide-canary.ts';
import { type Failing, type Rates, type SimulatedCanary, simulateCanary } from './canary-simulation.ts';

export const alpha = 0.05;
export const charter = (over: Partial<CanaryInput['charter']['release']['canary']> = {}): CanaryInput['charter'] => ({
  reward: { weights: { purchase: 1 }, attributionMs: 1_000, capPerUnit: 1 },
  release: {
    canary: {
      shadowSlates: 0,
      ladder: [0.01, 0.05, 0.1, 0.25, 0.5],
      minUnits: [20, 60, 150, 300, 600],
      lookEveryMs: 1_000,
      maxDurationMs: 1,
      alpha,
      inconclusive: 'roll-back',
      refreshMargin: 0.3,
      maxErrorShare: 0.01,
      maxFallbackShare: 0.05,
      maxP99Ms: 250,
      ...over,
    },
  },
});
export const always = (champion: number, challenger: number): Rates => ({ champion: () => champion, challenger: () => challenger });
type Options = {
  intent: CanaryInput['intent'];
  rates: Rates;
  runs: number;
  maxUsers: number;
  lost?: number;
  failing?: Failing;
  over?: Parameters<typeof charter>[0];
  usersPerLook?: number;
};
export const simulate = ({ over, runs, usersPerLook = 250, ...rest }: Options): SimulatedCanary[] =>
  Array.from({ length: runs }, (_, seed) => simulateCanary({ ...rest, charter: charter(over), seed: seed + 1, usersPerLook }));
export const count = (runs: SimulatedCanary[], action: 'promote' | 'roll-back', verdict?: string) =>
  runs.filter((run) => run.decision.action === action && (verdict === undefined || run.decision.verdict === verdict)).length;
export const srm = (runs: SimulatedCanary[]) => runs.filter((run) => run.decision.reasons.some((reason) => reason.startsWith('sample ratio'))).length;
export const median = (values: number[]) => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
export const tell = (what: string, runs: SimulatedCanary[]) =>
  console.log(
    `${what}: ${runs.length} canaries, ${count(runs, 'promote')} promoted, ${count(runs, 'roll-back', 'worse')} rolled back as worse, ` +
      `${count(runs, 'roll-back') - count(runs, 'roll-back', 'worse')} without verdict, median ${median(runs.map((run) => run.users))} users, ${median(runs.map((run) => run.challengerUsers))} of them the challenger's`,
  );
