import { z } from 'zod';
import { positiveMs, releaseRules, share } from './charter-release.ts';
import { rootCauseRules } from './charter-root-cause.ts';
import { inconsistencies } from './charter-consistency.ts';
import { candidate } from './charter-candidate.ts';
import { charterAssumption } from './assumption.ts';
import { auditRules } from './charter-audit.ts';
import { retentionRules } from './charter-retention.ts';
import { watchRules } from './charter-watch.ts';
import { escalationRules } from './charter-escalation.ts';
import { dataSetRule } from './data-set-rule.ts';
import { eventKinds } from './event.ts';
import { fairnessRules } from './fairness.ts';
import { guardrailRules } from './guardrail.ts';
import { machineName, surfaceName } from './ids.ts';
import { type Mistake, inputError } from './problem.ts';
import { recordRuleChoices } from './record-rules.ts';
import { sessionRules } from './session.ts';
import { tournamentCosts } from './tournament.ts';

export type CandidateRecipe = z.infer<typeof candidate>;

/**
 * How users are told apart in the report, by what the train part says of them at the split: how many events they have, how many days ago their first
 * and last ones were (a bound begins the next segment), or the category that most of their events are of.
 */
const segmentation = z.discriminatedUnion('by', [
  z.strictObject({
    by: z.enum(['events', 'days-since-first', 'days-since-last']),
    bounds: z
      .array(z.number().int().min(1))
      .min(1)
      .max(9)
      .refine((bounds) => bounds.every((bound, index) => index === 0 || bound > (bounds[index - 1] as number)), 'must rise'),
  }),
  z.strictObject({ by: z.literal('category'), atMost: z.number().int().min(1).max(30).default(8) }),
]);
export type Segmentation = z.output<typeof segmentation>;
const evaluationDefaults = {
  segments: [
    { by: 'events', bounds: [5, 20] },
    { by: 'days-since-last', bounds: [30] },
    { by: 'category', atMost: 8 },
  ] satisfies Segmentation[],
  minSegmentUsers: 50,
};

const logLimitDefaults = {
  maxItemWeight: 200,
  minSupport: 0.8,
  minRewardedSampleSize: 1,
  maxWeightShare: 0.1,
  maxTailIndex: 1.5,
  minMeanWeightP: 0.001,
  minDriftP: 0.001,
  checkError: 0.001,
};

const diversityDefaults = { weight: 0, depth: 50 };

/** The configuration of one surface. Every field is read by the code named in its comment, and nowhere is it defined again. */
const fields = z.strictObject({
  surface: surfaceName,
  title: z.string().min(1).max(200),
  owners: z.array(z.string().min(1)).min(1),
  objective: z.enum(['conversion', 'engagement']),
  timeZone: z.string().default('UTC').refine(isTimeZone, 'not the name of an IANA time zone, such as Europe/London'),
  /** Training weights, gates, canary and audits read this one definition. */
  reward: z.strictObject({
    /** Reward of one attributed event of the kind; kinds that are absent give nothing. */
    weights: z.partialRecord(z.enum(eventKinds), z.number().min(0).max(1000)),
    /** An event counts for the latest slate of its unit that showed the item within this time before it. */
    attributionMs: positiveMs,
    /** Reward of one unit is capped here. */
    capPerUnit: z.number().positive().default(1),
  }),
  /** Confidence of each kind of event for training and for histories at serving time. */
  confidence: z.partialRecord(z.enum(eventKinds), z.number().min(0).max(1000)),
  /** May a bought item be shown again? Read by training, metrics, serving and simulator alike. */
  repeatPolicy: z.enum(['allow', 'exclude-purchased']),
  /** Who somebody is. */
  identity: z
    .strictObject({
      /**
       * What came without a user is a user's where a login, or the user's own events, say that the session (`session`, by default) or the device
       * (`device`, and the session) is theirs and nobody else's.
       */
      merge: z.enum(['none', 'session', 'device']).default('session'),
      /** `keyed`: users, sessions and devices are known by their HMAC under UNDERSTUDY_PSEUDONYM_KEY, from the door on. */
      pseudonyms: z.enum(['none', 'keyed']).default('none'),
    })
    .optional(),
  retention: retentionRules.optional(),
  /** What of those who never said what they allow. */
  consent: z.strictObject({ whenUnknown: z.enum(['allow', 'deny']).default('allow') }).optional(),
  /** How one person's events fall into sessions. */
  sessions: sessionRules.optional(),
  scope: z
    .strictObject({
      inStockOnly: z.boolean().default(true),
      /** Items whose id does not match are out of scope. */
      itemIdPattern: z.string().optional().refine(isPattern, 'not a regular expression'),
      excludeCategories: z.array(z.string()).default([]),
      excludeItems: z.array(z.string()).default([]),
    })
    .default({ inStockOnly: true, excludeCategories: [], excludeItems: [] }),
  slate: z
    .strictObject({
      size: z.number().int().min(1).max(100).default(10),
      /** How slates are made of a ranking's best `depth`, in serving and in all evaluations: 0 by relevance alone, 1 by difference alone. */
      diversity: z
        .strictObject({ weight: share.default(0), depth: z.number().int().min(2).max(500).default(diversityDefaults.depth) })
        .default(diversityDefaults),
    })
    .default({ size: 10, diversity: diversityDefaults }),
  fairness: fairnessRules.optional(),
  guardrails: guardrailRules.optional(),
  window: z.strictObject({
    trainDays: z.number().int().min(1).max(3650),
    gapDays: z.number().int().min(0).max(365).default(1),
    testDays: z.number().int().min(1).max(365),
    /** The last days of the train part, on which parameters are chosen, `gapDays` behind what the trials are trained on; then all of it is trained on. */
    validationDays: z.number().int().min(1).max(365).optional(),
    /** The split and so many less one before it, each `testDays` earlier, as far as the data go back: each trains the recipe anew, and the champion's. */
    rollingOrigins: z.number().int().min(1).max(12).default(1),
  }),
  data: z
    .strictObject({
      rules: z.array(dataSetRule).default([]),
      /** What each record rule does, where it is not what it does by itself. */
      recordRules: recordRuleChoices.optional(),
      /** `ingest`: a retraining first takes in what the serving tier logged since; `ignore`: data come by files only. */
      log: z.enum(['ingest', 'ignore']).default('ignore'),
    })
    .default({ rules: [], log: 'ignore' }),
  exploration: z
    .strictObject({
      /** Expected number of a slate's places that explore. Below 1, some slates explore none: then a reward of the whole slate can be estimated too. */
      slots: z.number().min(0).max(10).default(1),
      /** Champion's ranks from slate size + 1 to this one stand in the pool. */
      poolDepth: z.number().int().min(10).max(1000).default(100),
      /** Plackett-Luce weight of the item at rank r of the pool: 1 / (r + rankOffset). */
      rankOffset: z.number().min(0).max(1000).default(5),
      challengerDepth: z.number().int().min(0).max(200).default(20),
      /** Probability that the drawn slot is filled uniformly from the scope. Discovery; it does not count as support. */
      floor: share.default(0.02),
    })
    .default({ slots: 1, poolDepth: 100, rankOffset: 5, challengerDepth: 20, floor: 0.02 }),
  /** What the offline evidence looks at besides the whole. */
  evaluation: z
    .strictObject({
      segments: z.array(segmentation).max(4).default(evaluationDefaults.segments),
      /** Slices and segments with fewer users have no figures in the report: they would tell nothing. */
      minSegmentUsers: z.number().int().min(2).default(evaluationDefaults.minSegmentUsers),
    })
    .default(evaluationDefaults),
  /** The recipe that goes live while there is no champion at all: the bootstrap rule. */
  bootstrap: machineName,
  /**
   * `metadata`: items of the catalog that nobody has had stand in the vocabularies of models as well, and models that can (`ials`, `two-tower`) know items by
   * category, brand, price and the words of their titles. Absent: a model knows what has happened to items, and nothing else.
   */
  coldItems: z.literal('metadata').optional(),
  /** An ingest that brings new data asks for a retraining by itself. */
  retrainOnNewData: z.boolean().default(false),
  candidates: z.array(candidate).min(1),
  gates: z.strictObject({
    /** The metric that decides offline. */
    primaryMetric: z.enum(['ndcg@10', 'recall@20', 'mrr@20', 'hit-rate@10']).default('ndcg@10'),
    /**
     * Present: of several candidates of one request that the gates let pass, not the best goes on but the cheapest of those that are not worse than it by more
     * than `margin`, a share of its figure, with confidence. Where `release.challengers` lets several go on, they are the best ones, as without it.
     */
    tournament: z.strictObject({ margin: share.default(0.02), cheapest: z.enum(tournamentCosts).default('training') }).optional(),
    /** `refresh`: the primary metric's lift may not lie below minus this share of the champion's. */
    refreshMargin: share.default(0.05),
    /** `replace`: the whole interval of the lift must lie above this share of the champion's. */
    replaceLift: z.number().min(0).max(10).default(0),
    minCoverage: share.default(0),
    minUsers: z.number().int().min(1).default(100),
    maxArtifactMb: z.number().positive().default(500),
    /** What a counterfactual verdict of `not-enough-evidence` does. `worse` always refuses. */
    withoutCounterfactualSupport: z.enum(['pass', 'refuse']).default('pass'),
    minEffectiveSampleSize: z.number().min(0).default(100),
    /**
     * Of items that looked alike at the split, how often a model may put the one first that the user went on to want. A half is chance; models of this
     * repo that have not seen the test part stay below .7, and one that has memorized it comes to .8 and more.
     */
    maxForeknowledge: z.number().min(0.5).max(1).default(0.75),
    /** What `slate.diversity` may cost: this share of the NDCG@10 that the candidate has without it. */
    maxDiversityLoss: share.default(0.1),
    /** Least mean distance of the items of a slate, and least mean novelty (bits) of an item, as the report has them. */
    minDiversity: share.default(0),
    minNovelty: z.number().min(0).default(0),
    /** What the log must carry for a counterfactual verdict, besides. */
    logLimits: z
      .strictObject({
        /** An item that would weigh more in the estimate counts as without support. */
        maxItemWeight: z.number().min(1).default(200),
        /** Share of what the candidate would show that has support. */
        minSupport: share.default(0.8),
        /** Rewards of equal weight that would tell as much of the difference. Few of them make the interval wide; fewer than these make no verdict. */
        minRewardedSampleSize: z.number().min(0).default(1),
        /** Of one slot, in the weight of what the candidate does otherwise. */
        maxWeightShare: share.default(0.1),
        /** Weights of slates are bounded by `maxItemWeight`, so that a heavy tail costs width and no more. */
        maxTailIndex: z.number().positive().default(1.5),
        /** p-values below these are objections: of E[w] = 1, and of equal weights in both halves of the log. */
        minMeanWeightP: share.default(0.001),
        minDriftP: share.default(0.001),
        /** Each check of the item-position model objects to one that holds with this probability at most. */
        checkError: z.number().gt(0).lt(1).default(0.001),
      })
      .default(logLimitDefaults),
    /** So many of the log's newest slates are replayed for the counterfactual evidence. */
    maxReplayedSlates: z.number().int().min(1).default(20_000),
  }),
  release: releaseRules,
  rootCause: rootCauseRules.optional(),
  slo: z.strictObject({ p99Ms: z.number().positive().default(100), fallbackShare: share.default(0.02) }).default({ p99Ms: 100, fallbackShare: 0.02 }),
  /** By what the surface is watched. Absent: by everything, as `watchDefaults` say. */
  watch: watchRules.optional(),
  /** Claims behind these choices that audits test again. */
  assumptions: z.array(charterAssumption).default([]),
  /** By itself: an audit a month. */
  audit: auditRules.optional(),
  /** Who answers reports, and until when; by itself: the owners. */
  escalation: escalationRules.optional(),
  seed: z.number().int().min(0).max(0x7fffffff).default(1),
});

/** With what the fields say together, whichever of them are wrong. */
export const charter = fields.superRefine(
  (value, context) => {
    for (const { path, message } of inconsistencies(value)) context.addIssue({ code: 'custom', path, message });
  },
  { when: () => true },
);

export type Charter = z.output<typeof charter>;
export type CharterInput = z.input<typeof charter>;

/** Types a charter in `understudy.config.ts`. It is checked when it is read, so that all mistakes are named at once. */
export function defineSurface(input: CharterInput): CharterInput {
  return input;
}

/**
 * Checks a charter that comes in.
 * @param more mistakes that others found in it, such as those of `checkCandidates`; they are named with its own
 * @throws UND-CHARTER naming every mistake
 */
export function parseCharter(input: unknown, more: readonly Mistake[] = []): Charter {
  const parsed = charter.safeParse(input);
  if (!parsed.success || more.length > 0) throw inputError('UND-CHARTER', 'The charter', parsed.error?.issues ?? [], more);
  return parsed.data;
}

/**
 * Reads a charter that was checked when it came in: what the fields say together is not asked again, so that a check which is newer than the
 * charter does not make it unreadable.
 * @throws UND-CHARTER naming every mistake
 */
export function parseStoredCharter(input: unknown): Charter {
  const parsed = fields.safeParse(input);
  if (!parsed.success) throw inputError('UND-CHARTER', 'The stored charter', parsed.error.issues);
  return parsed.data;
}

/** By name: Intl knows offsets too, and DuckDB does not. */
function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function isPattern(source: string | undefined): boolean {
  try {
    new RegExp(source ?? '');
    return true;
  } catch {
    return false;
  }
}
