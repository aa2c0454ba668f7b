import type { CanaryInput } from './decide-canary.ts';
import { simulateCanaries } from './simulate-canaries.ts';

/** What a verdict takes. `days` and the rest are null where fewer than half of the runs came to one. */
export type CanaryPlan = {
  intent: 'replace' | 'refresh';
  /** What is true in the runs: the challenger's rate over the champion's. */
  ratio: number;
  runs: number;
  decided: number;
  usersInAll: { median: number; p95: number } | null;
  challengerUsers: { median: number; p95: number } | null;
  days: { median: number; p95: number } | null;
  /** What to do where it takes longer than the horizon. */
  advice: string | null;
};

type Input = {
  canary: CanaryInput['charter']['release']['canary'];
  /** Conversion rate of the champion. */
  rate: number;
  /** `replace`: how much better the challenger is, as a share of the rate. */
  lift: number;
  usersPerDay: number;
  horizonDays: number;
  runs: number;
  seed: number;
  onRun?: () => void;
};

/**
 * Users and days until a good challenger is promoted: one that is better by `lift` under `replace`, one that is as good under `refresh`. By running
 * the real decisions, up to eight times the horizon's users.
 */
export async function planCanary(input: Input): Promise<CanaryPlan[]> {
  return [await planOne(input, 'replace', 1 + input.lift), await planOne(input, 'refresh', 1)];
}

async function planOne(input: Input, intent: CanaryPlan['intent'], ratio: number): Promise<CanaryPlan> {
  const { canary, rate, usersPerDay, horizonDays, runs, seed, onRun } = input;
  const users = Math.ceil(8 * usersPerDay * horizonDays);
  const challenger = Math.min(0.999, rate * ratio);
  const study = await simulateCanaries({ canary, intent, champion: rate, challenger, users, runs, seed, againstFixedSplit: false, onRun });
  const most = study.promoted * 2 > runs;
  const perDay = (value: number) => Math.ceil((10 * value) / usersPerDay) / 10;
  const inAll = most ? study.usersInAll : null;
  const days = inAll === null ? null : { median: perDay(inAll.median), p95: perDay(inAll.p95) };
  const advice = days !== null && days.median <= horizonDays ? null : adviceFor({ intent, days, horizonDays, canary, lift: input.lift });
  return { intent, ratio, runs, decided: study.promoted, usersInAll: inAll, challengerUsers: most ? study.challengerUsersToDecision : null, days, advice };
}

type Advice = { intent: CanaryPlan['intent']; days: CanaryPlan['days']; horizonDays: number; canary: Input['canary']; lift: number };

/** Users go with the inverse square of what is to be told apart. */
function adviceFor({ intent, days, horizonDays, canary, lift }: Advice): string {
  const factor = Math.sqrt((days?.median ?? 16 * horizonDays) / horizonDays);
  const wider = `${Math.ceil(100 * factor * (intent === 'refresh' ? canary.refreshMargin : lift))} %`;
  const what = intent === 'refresh' ? `a margin of about ${wider}` : `a challenger that is about ${wider} better`;
  return `${days === null ? 'hopeless' : 'too long'}: ${what} would be told within ${horizonDays} days; or choose a reward that more users earn`;
}
