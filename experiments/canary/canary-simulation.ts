import type { ArmCounts, CanaryDecision } from '../../models/contracts/canary.ts';
import { createRandom } from '../../models/random.ts';
import { type ArmData, nextBlockEnd, noCounts, type RewardCounts, type Stratum } from './arm-data.ts';
import { type CanaryInput, decideCanary } from './decide-canary.ts';

/** Probability that the n-th user (from 0) converts with a variant. */
export type Rates = { champion: (user: number) => number; challenger: (user: number) => number };
export type SimulatedCanary = { decision: CanaryDecision; users: number; challengerUsers: number; looks: number; moves: number };

export type Failing = { errors: number; fallbacks: number; slow: number };
type Variant = 'champion' | 'challenger';

type Input = {
  charter: CanaryInput['charter'];
  intent: CanaryInput['intent'];
  rates: Rates;
  seed: number;
  usersPerLook: number;
  /** Where greater: looks where there are more users by this share than at the last one. 0 where absent. */
  growthPerLook?: number;
  /** Users after which time is over. */
  maxUsers: number;
  /** Share of the challenger's users that get lost before they are logged. */
  lost?: number;
  /** Probability that a user's one slate has no items, is no model's, is slow; none where absent. */
  failing?: Failing;
  /** Holds the challenger's share still, whatever the decisions say. */
  share?: number;
  onDecision?: (decision: CanaryDecision) => void;
};

/**
 * Runs a canary to its end on drawn conversions of reward 1, as the release workflow does: look, move the share, count users, look again.
 * Users' outcomes are ripe at the next look. For tests and for planning how many users a ladder needs.
 */
export function simulateCanary({
  charter,
  intent,
  rates,
  seed,
  usersPerLook,
  growthPerLook = 0,
  maxUsers,
  lost = 0,
  failing,
  share: held,
  onDecision,
}: Input): SimulatedCanary {
  const random = createRandom(seed);
  const counter = createCounter();
  const timeOver: CanaryInput['charter'] = { ...charter, release: { canary: { ...charter.release.canary, maxDurationMs: maxUsers } } };
  const lookAt = (look: number, stage: number, share: number) => {
    const made = decideCanary({
      charter: timeOver,
      intent,
      releaseId: `simulated-${seed}`,
      look,
      stage,
      share,
      elapsedMs: counter.users + 1,
      arms: counter.armData(),
    });
    onDecision?.(made);
    return made;
  };
  let decision = lookAt(0, 0, 0);
  let stage = 0;
  let moves = 0;
  for (let look = 1; ; look += 1) {
    if (decision.action === 'promote' || decision.action === 'roll-back')
      return { decision, users: counter.users, challengerUsers: decision.challenger.enrolled, looks: look - 1, moves };
    stage = decision.action === 'advance' ? decision.stage + 1 : decision.stage;
    const share = held ?? decision.share;
    if (counter.open({ share, stage })) moves += 1;
    const fresh = Math.min(Math.max(usersPerLook, Math.ceil(growthPerLook * counter.users)), Math.max(1, maxUsers - counter.users));
    for (let user = 0; user < fresh; user += 1) {
      const isChallenger = random.float() < share;
      const rate = (isChallenger ? rates.challenger : rates.champion)(counter.users);
      const reward = random.float() < rate ? 1 : 0;
      counter.count({ isChallenger, reward, isLost: isChallenger && lost > 0 && random.float() < lost });
      if (failing === undefined) continue;
      for (const kind of ['errors', 'fallbacks', 'slow'] as const)
        if (random.float() < failing[kind]) counter.failures[isChallenger ? 'challenger' : 'champion'][kind] += 1;
    }
    decision = lookAt(look, stage, share);
  }
}

type OpenStratum = { generation: number; share: number; units: { champion: [number, number]; challenger: [number, number] } };

function createCounter() {
  const strata: OpenStratum[] = [];
  const ripeByStage: number[] = [];
  let stage = 0;
  let logged = 0;
  let nextCut = nextBlockEnd(0);
  const latest = (): OpenStratum => strata.at(-1) as OpenStratum;
  const start = (generation: number, share: number): void => void strata.push({ generation, share, units: { champion: [0, 0], challenger: [0, 0] } });
  return {
    users: 0,
    failures: { champion: noFailures(), challenger: noFailures() },
    /** True where the share or the rung moves. */
    open(input: { share: number; stage: number }): boolean {
      if (strata.length > 0 && latest().share === input.share && stage === input.stage) return false;
      stage = input.stage;
      while (ripeByStage.length <= stage) ripeByStage.push(0);
      start((strata.at(-1)?.generation ?? 0) + 1, input.share);
      return true;
    },
    count({ isChallenger, reward, isLost }: { isChallenger: boolean; reward: 0 | 1; isLost: boolean }): void {
      this.users += 1;
      if (isLost) return;
      if (logged === nextCut) {
        nextCut = nextBlockEnd(logged);
        start(latest().generation, latest().share);
      }
      logged += 1;
      const arm = latest().units[isChallenger ? 'challenger' : 'champion'];
      arm[reward] += 1;
      if (isChallenger) ripeByStage[stage] = (ripeByStage[stage] ?? 0) + 1;
    },
    armData(): ArmData {
      const finished: Stratum[] = strata.map(({ units, ...own }) => ({ ...own, champion: armOf(units.champion), challenger: armOf(units.challenger) }));
      const { failures } = this;
      const counts = (variant: Variant) => {
        const { errors, fallbacks } = failures[variant];
        return { ...countsOf(strata.map((one) => one.units[variant])), errors, fallbacks };
      };
      return {
        champion: counts('champion'),
        challenger: counts('challenger'),
        slow: { champion: failures.champion.slow, challenger: failures.challenger.slow },
        strata: finished,
        ripeByStage: [...ripeByStage],
      };
    },
  };
}

function noFailures(): Failing {
  return { errors: 0, fallbacks: 0, slow: 0 };
}

/** Units with a reward of 0, and of 1. */
export function armOf([none, converted]: [number, number]): Stratum['champion'] {
  const ripe = (
    [
      [0, none],
      [1, converted],
    ] as RewardCounts
  ).filter(([, units]) => units > 0);
  return { enrolled: none + converted, ripe };
}

function countsOf(units: [number, number][]): ArmCounts {
  const none = units.reduce((sum, one) => sum + one[0], 0);
  const converted = units.reduce((sum, one) => sum + one[1], 0);
  const enrolled = none + converted;
  return { ...noCounts, enrolled, ripe: enrolled, converted, rewardSum: converted, rewardSquares: converted, slates: enrolled, latencyP99Ms: 10 };
}
