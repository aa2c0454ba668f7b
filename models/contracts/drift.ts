import { z } from 'zod';
import { digestString, epochMs, externalId, machineName, surfaceName } from './ids.ts';
import { interval } from './verdict.ts';
import { dayRange } from './window.ts';

/** What is asked. Of models: is this one farther from the one before than retraining brings it? Of days: are the newest like those before? */
export const driftQuestions = {
  /** How far items lie from where they lay, behind the best turn. */
  'item-vectors': 'models',
  /** Which items are each item's nearest. */
  neighbours: 'models',
  /** Each of what is known of a user's period. */
  features: 'days',
  /** The same together, by distances and by a classifier. */
  'features-together': 'days',
  'features-told-apart': 'days',
  /** What one model says of users' periods, and where it puts the users. */
  scores: 'days',
  'user-vectors': 'days',
  /** Rewarded events of all. */
  'label-rate': 'days',
} as const satisfies Record<string, 'models' | 'days'>;
export type DriftQuestion = keyof typeof driftQuestions;
const question = z.enum(Object.keys(driftQuestions) as [DriftQuestion, ...DriftQuestion[]]);

const share = z.number().min(0).max(1);
const count = z.number().int().min(0);

export const driftAnswer = z.strictObject({
  what: question,
  /** Of this question alone, and adjusted for all that were asked at once. */
  p: share,
  adjusted: share,
  moved: z.boolean(),
  /** What moved, in a sentence. */
  says: z.string(),
  /** Users, or trainings, of each side. */
  units: z.tuple([count, count]),
});
export type DriftAnswer = z.infer<typeof driftAnswer>;

/** Reward of the days, after against before, as a share; null where there was none before. */
const rewardChange = interval.nullable();

export const driftColumn = z.strictObject({
  name: z.string(),
  of: z.enum(['features', 'scores']),
  distance: share,
  /** Adjusted for the columns of its question. */
  p: share,
  means: z.tuple([z.number(), z.number()]),
  /** A figure, no test; `psiByChance`: what it comes to where nothing has moved. */
  psi: z.number(),
  psiByChance: z.number(),
});
export type DriftColumn = z.infer<typeof driftColumn>;

export const movedItem = z.strictObject({
  itemId: externalId,
  /** How far it moved beyond what retraining moves it (beyond nothing where there are no retrainings), and its share of all that items moved so. */
  beyond: z.number().min(0),
  share,
  reward: rewardChange,
});
export type MovedItem = z.infer<typeof movedItem>;

export const movedSegment = z.strictObject({
  segment: z.string(),
  items: count,
  /** Mean over its items. */ beyond: z.number().min(0),
  share,
  reward: rewardChange,
});
export type MovedSegment = z.infer<typeof movedSegment>;

const driftModel = z.strictObject({ artifact: digestString, candidate: machineName, algorithm: machineName, trainedOn: dayRange });
export type DriftModel = z.infer<typeof driftModel>;

/** A generation of `drift/<surface>`. */
export const driftReport = z.strictObject({
  kind: z.literal('drift'),
  surface: surfaceName,
  generation: z.number().int().min(1),
  atMs: epochMs,
  seed: z.number().int(),
  alpha: share,
  models: z
    .strictObject({
      from: driftModel,
      to: driftModel,
      /** Trainings of the older one's recipe on its window with other seeds, which say what retraining moves. */
      retrainings: count,
      /** Items that both know. */
      items: count,
      /** Mean share of users' best ten that the two do not have in common; null where nobody was asked. */
      answersChanged: share.nullable(),
    })
    .nullable(),
  days: z.strictObject({ from: dayRange, to: dayRange, generation: z.number().int() }).nullable(),
  answers: z.array(driftAnswer),
  notMeasured: z.array(z.strictObject({ what: question, why: z.string() })),
  columns: z.array(driftColumn),
  items: z.array(movedItem),
  segments: z.array(movedSegment),
  /** Of the listed items together, and of all. */
  cost: z.strictObject({ listed: rewardChange, all: rewardChange }),
});
export type DriftReport = z.infer<typeof driftReport>;
