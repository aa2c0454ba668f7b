import type { Measurement } from '../../models/contracts/assumption.ts';
import { percent } from '../percent.ts';
import type { AnswerKind, Basics, MetricFacts, PerAnswer, Window } from './plan.ts';
import type { Recommendation } from './reason.ts';
import { type FamilyVerdict, recommendFamilies } from './recommend-families.ts';
import { type Kpi, type Objective, recommendObjective, recommendRecommender } from './recommend-objective.ts';
import { type Attribution, recommendAttribution, recommendRepeats, recommendWeights, type Weights } from './recommend-reward.ts';
import { type Encoder, recommendEncoder } from './recommend-users.ts';
import { explainWindow } from './recommend-window.ts';
import { families, manyCold } from './thresholds.ts';

export type Facts = {
  window: Window;
  arrivalDelay: Measurement;
  basics: Basics;
  answers: PerAnswer;
  delays: PerAnswer;
  metrics: readonly MetricFacts[];
  testUsers: Measurement;
  kpis: readonly Kpi[];
};

export type Recommended = {
  recommender: Recommendation<boolean>;
  objective: Recommendation<{ objective: Objective; lead: AnswerKind | undefined }>;
  weights: Recommendation<Weights>;
  attribution: Recommendation<Attribution>;
  encoder: Recommendation<Encoder>;
  families: FamilyVerdict[];
  repeats: Recommendation<'allow' | 'exclude-purchased'>;
  window: Recommendation<Window>;
  cold: string[];
};

/** What the data speak for. Pure: the same facts, the same recommendation. @param available names of the algorithms that there are */
export function recommend(facts: Facts, available: readonly string[]): Recommended {
  const { window, arrivalDelay, basics, answers, delays, metrics, testUsers, kpis } = facts;
  const objective = recommendObjective({ kpis, answers, metrics });
  const lead = objective.choice.lead ?? 'click';
  return {
    recommender: recommendRecommender(basics),
    objective,
    weights: recommendWeights({ lead, metrics, cartToPurchase: basics.cartToPurchase }),
    attribution: recommendAttribution({ lead, delay: delays[lead], impressions: basics.impressions }),
    encoder: recommendEncoder(basics),
    families: recommendFamilies({ basics, available }),
    repeats: recommendRepeats(basics),
    window: explainWindow({ window, arrivalDelay, testUsers }),
    cold: adviceOnCold(basics),
  };
}

function adviceOnCold({ coldUsers, coldItems, category }: Basics): string[] {
  const advice: string[] = [];
  if (coldUsers.value !== null && coldUsers.value >= manyCold)
    advice.push(
      `${percent(coldUsers.value)} of the test part's users are new: what they get is decided by session and popularity; read the report's slice of new users`,
    );
  if (coldItems.value !== null && coldItems.value >= families.minColdItems) {
    const mend =
      (category.value ?? 0) >= families.minMetadata
        ? "`coldItems: 'metadata'` in the charter lets what the catalog says of them stand in for a past"
        : 'and too few of them have a category to stand in for a past: get metadata, or retrain more often';
    advice.push(`${percent(coldItems.value)} of the test part's events are of items that training has not seen: ${mend}`);
  }
  return advice;
}

/** The candidates that go into the charter: popularity alone where there is nothing to win. */
export const chosenFamilies = ({ recommender, families: verdicts }: Recommended): string[] =>
  recommender.choice ? verdicts.filter(({ verdict }) => verdict === 'candidate').map(({ family }) => family) : ['popularity'];
