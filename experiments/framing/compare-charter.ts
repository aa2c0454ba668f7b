import type { Charter } from '../../models/contracts/charter.ts';
import type { Facts, Recommended } from './recommend.ts';
import { chosenFamilies } from './recommend.ts';
import { attribution, minTestUsers } from './thresholds.ts';

/** A choice of a charter against the data. `supported` null: the data cannot say. */
export type Compared = { path: string; present: string; recommended: string; supported: boolean | null; why: string };

/** Which choices of a charter the data do not support. */
export function compareCharter({ charter, facts, recommended }: { charter: Charter; facts: Facts; recommended: Recommended }): Compared[] {
  return [objective, weights, attributionMs, repeatPolicy, window, candidates].flatMap((compare) => compare(charter, facts, recommended));
}

type Compare = (charter: Charter, facts: Facts, recommended: Recommended) => Compared[];

const objective: Compare = (charter, _facts, { objective: own }) => {
  const [present, choice] = [charter.objective, own.choice.objective];
  const supported = own.choice.lead === undefined ? null : present === choice;
  return [{ path: '/objective', present, recommended: choice, supported, why: own.says }];
};

/** Kinds that are rewarded and do not happen. */
const weights: Compare = (charter, { answers, basics, metrics }, { weights: own }) => {
  const counts = new Map<string, number | null>(
    [...Object.entries(answers), ['impression', basics.impressions]].map(([kind, measured]) => [kind as string, (measured as { value: number | null }).value]),
  );
  const rewarded = Object.entries(charter.reward.weights).filter(([, weight]) => weight > 0);
  const missing = rewarded.filter(([kind]) => counts.get(kind) === 0).map(([kind]) => kind);
  const slow = metrics.filter(({ metric, days }) => rewarded.length === 1 && rewarded[0]?.[0] === metric && (days.value ?? 0) > 0);
  const inDays = slow[0]?.days.value;
  const why =
    missing.length > 0 ? `the data have no ${missing.join(', no ')}` : inDays == null ? own.says : `a change of 5 % takes ${inDays.toFixed(0)} days to see`;
  const supported = missing.length > 0 ? false : inDays == null ? null : Object.keys(own.choice).length === 1;
  return [{ path: '/reward/weights', present: weightsText(charter.reward.weights), recommended: weightsText(own.choice), supported, why }];
};

const attributionMs: Compare = (charter, _facts, { attribution: own }) => {
  const present = charter.reward.attributionMs;
  const [reason] = own.reasons;
  const base = { path: '/reward/attributionMs', present: String(present), recommended: String(own.choice.ms) };
  if (!own.choice.known || reason?.measured.value == null) return [{ ...base, supported: null, why: own.notes[0] ?? own.says }];
  const needed = reason.measured.value;
  if (present < needed)
    return [
      { ...base, supported: false, why: `${attribution.quantile * 100} % of the answers take up to ${needed} ms: the later ones are lost to the reward` },
    ];
  const tooLong = present > attribution.tooLong * own.choice.ms;
  return [
    {
      ...base,
      supported: !tooLong,
      why: tooLong
        ? `${attribution.quantile * 100} % of the answers come within ${needed} ms: every canary waits for nothing, and what comes later has other causes`
        : own.says,
    },
  ];
};

const repeatPolicy: Compare = (charter, _facts, { repeats }) => [
  {
    path: '/repeatPolicy',
    present: charter.repeatPolicy,
    recommended: repeats.choice,
    supported: repeats.reasons.length === 0 ? null : charter.repeatPolicy === repeats.choice,
    why: repeats.reasons[0]?.claim ?? repeats.notes[0] ?? '',
  },
];

const window: Compare = (charter, { window: recommended, testUsers, arrivalDelay }, { window: own }) => {
  const { trainDays, gapDays, testDays } = charter.window;
  const days = recommended.trainDays + recommended.gapDays + recommended.testDays;
  const needed = trainDays + gapDays + testDays;
  const lateDays = arrivalDelay.value === null ? 0 : arrivalDelay.value / 86_400_000;
  const base = {
    path: '/window',
    present: `${trainDays} + ${gapDays} + ${testDays} days`,
    recommended: `${recommended.trainDays} + ${recommended.gapDays} + ${recommended.testDays} days`,
  };
  if (needed > days) return [{ ...base, supported: false, why: `there are ${days} days, and it takes ${needed}` }];
  if (lateDays > gapDays) return [{ ...base, supported: false, why: `events take up to ${lateDays.toFixed(1)} days to come in: the gap is too short` }];
  if (testDays < recommended.testDays && (testUsers.value ?? minTestUsers) < minTestUsers)
    return [{ ...base, supported: false, why: `even ${recommended.testDays} days have ${testUsers.value} users to test on` }];
  return [{ ...base, supported: true, why: own.says }];
};

const candidates: Compare = (charter, _facts, recommended) => {
  const present = [...new Set(charter.candidates.map(({ algorithm }) => algorithm))];
  const chosen = chosenFamilies(recommended);
  const unfounded = recommended.families.filter(
    ({ family, verdict }) => present.includes(family) && (verdict === 'not' || !recommended.recommender.choice) && family !== 'popularity',
  );
  const missing = chosen.filter((family) => !present.includes(family));
  const base = { path: '/candidates', present: present.join(', '), recommended: chosen.join(', ') };
  if (!recommended.recommender.choice) return [{ ...base, supported: unfounded.length === 0, why: recommended.recommender.says }];
  const why = [
    ...unfounded.map(({ family, reasons, says }) => `${family}: ${reasons[0]?.claim ?? says}`),
    ...(missing.length > 0 ? [`${missing.join(', ')} would be worth a try`] : []),
  ];
  return [{ ...base, supported: unfounded.length === 0, why: why.join('; ') || 'each has its reasons' }];
};

const weightsText = (weights: Charter['reward']['weights']): string =>
  Object.entries(weights)
    .map(([kind, weight]) => `${kind} ${weight}`)
    .join(', ');
