import { z } from 'zod';
import { digestString, epochMs, externalId, machineName, surfaceName } from './ids.ts';
import type { ApprovalPolicy, VoteResult } from './release.ts';
import { rung } from './slate.ts';

/** What there is to look at, from what answers a request down to what nobody here can help. */
export const layers = ['serving', 'data', 'model', 'outside'] as const;
export type Layer = (typeof layers)[number];

/** Each cause that is looked for, and its layer. */
export const causes = {
  /** The model does not answer, and a lower rung of the fallback chain does. */
  fallback: 'serving',
  latency: 'serving',
  /** Requests that fail, or models that do. */
  errors: 'serving',
  /** A replica obeys an older deployment than the one that is in force. */
  'stale-deployment': 'serving',
  /** A replica answers with an artifact that the deployment in force does not name. */
  'wrong-artifact': 'serving',
  /** Rules or the charter's scope changed, and slates with the new ones are worth less or are short. */
  rules: 'serving',
  /** Events of all kinds and clients are lost on their way. */
  volume: 'data',
  /** Events come in another form: put aside, or without members that they used to have. */
  schema: 'data',
  /** One source or one kind of event does not come any more. */
  'missing-source': 'data',
  duplicates: 'data',
  'late-events': 'data',
  /** Items are gone from the catalog, out of stock, or without what was known of them. */
  catalog: 'data',
  price: 'data',
  /** Slates are shown on one client or in one country, and their events do not come. */
  tracking: 'data',
  /** What a release put live is worth less than what was there before. */
  'new-artifact': 'model',
  drift: 'model',
  /** More visitors without a history, or items that the model does not know. */
  'cold-share': 'model',
  /** The champion was trained on a window with missing or broken days. */
  'bad-window': 'model',
  /** Online values of features are not those that they are offline. */
  'feature-mismatch': 'model',
  /** The graph that serves does not answer as the one that was evaluated. */
  'train-serve-difference': 'model',
  /** Everything moves together, as it does at such a time, or as it does nowhere in what we do. */
  season: 'outside',
  promotion: 'outside',
  /** Other visitors came, and each sort of them behaves as before. */
  'traffic-mix': 'outside',
} as const satisfies Record<string, Layer>;
export type CauseName = keyof typeof causes;
export const causeName = z.enum(Object.keys(causes) as [CauseName, ...CauseName[]]);

const count = z.number().min(0);
/** An index into `units`. */
const unit = z.number().int().min(0);

/** Slates of one unit, alike in where they were asked for and how they were answered, and what came of them. */
export const trafficRow = z.strictObject({
  unit,
  country: z.string(),
  device: z.string(),
  segment: z.string(),
  rung,
  artifact: digestString.nullable(),
  generation: z.number().int(),
  replica: externalId,
  rules: digestString,
  slates: count,
  /** Slates of fewer items than were asked for. */
  short: count,
  /** Slates whose answer took longer than the charter's `slo.p99Ms`. */
  slow: count,
  /** Slates of visitors of whom something is known. */
  known: count,
  /** Slates of which at least one impression came, and one event of any other kind. */
  seen: count,
  engaged: count,
  /** Slates that were rewarded, and by how much in all, by `RewardLedger`. */
  rewarded: count,
  reward: z.number(),
});
export type TrafficRow = z.infer<typeof trafficRow>;

/** Events of one unit, by the moment at which they came in, of one kind and source. */
export const eventRow = z.strictObject({
  unit,
  source: z.string(),
  kind: z.string(),
  accepted: count,
  duplicates: count,
  quarantined: count,
  /** Accepted, and more than an hour old when they came in. */
  late: count,
  /** Of items that the catalog, and that the champion's vocabulary, does not have. */
  unknownItems: count,
  coldItems: count,
  /** Accepted without a user, a request, or, where the kind has one, a price. */
  withoutUser: count,
  withoutRequest: count,
  withoutPrice: count,
});
export type EventRow = z.infer<typeof eventRow>;

/** The catalog at the end of a unit. */
export const catalogRow = z.strictObject({
  unit,
  items: count,
  inStock: count,
  /** Items of which category, and a price, are known. */
  described: count,
  priced: count,
  /** Median over items of what a price was before, divided into what it is: 1 where most have not changed. Null where no price is known. */
  priceRatio: z.number().nullable(),
});

export type CatalogRow = z.infer<typeof catalogRow>;

const deploymentFact = z.strictObject({ generation: z.number().int(), atMs: epochMs, artifacts: z.array(digestString), releaseId: z.string(), by: z.string() });

/**
 * What was measured of a surface for a look at what is wrong: `units` are stretches of the same length that can be compared (the same hours of earlier days),
 * oldest first, of which those with `now` are the incident (of a look after a mend, what was since: less than those before it). What could not be measured is null or an empty list, and `missing` says why.
 */
export const rootCauseFacts = z.strictObject({
  kind: z.literal('root-cause-facts'),
  surface: surfaceName,
  /** The alert that asked, if one did, and the signal that it is about. */
  alert: z.string().nullable(),
  signal: z.string().nullable(),
  atMs: epochMs,
  /** `day`: in the surface's zone, 0 Monday. `promotion`: the charter, or whoever asked, says that there was one. */
  units: z.array(
    z.strictObject({ fromMs: epochMs, toMs: epochMs, now: z.boolean(), weekday: z.number().int().min(0).max(6), promotion: z.string().nullable() }),
  ),
  traffic: z.array(trafficRow),
  events: z.array(eventRow),
  catalog: z.array(catalogRow),
  /** Newest last; those that were in force in any unit. */
  deployments: z.array(deploymentFact),
  replicas: z.array(
    z.strictObject({
      replica: externalId,
      live: z.boolean(),
      generation: z.number().int(),
      /** For how long a newer deployment than the one it serves has been in force; 0 where none is. */
      behindMs: count,
      /** Of its own counters since it began, or over the incident where two readings are there. */
      requests: count,
      failed: count,
      modelFailures: count,
    }),
  ),
  model: z
    .strictObject({
      artifact: digestString,
      /** Since when it has been champion. */
      sinceMs: epochMs,
      trainedAtMs: epochMs,
      /** The days that it was trained on; `usual` is what such a weekday has, `before` what the champion before it had of the day, null where it had not looked at it. */
      window: z.array(z.strictObject({ day: z.string(), rows: count, usual: count.nullable(), quarantined: count, before: count.nullable().optional() })),
      features: z.strictObject({ checked: count, different: count }).nullable(),
      /** Logged slates that were made again by the stored artifact, and those that came out otherwise. */
      replayed: z.strictObject({ slates: count, different: count }).nullable(),
      /** Findings of `understudy drift`: adjusted p-values. */
      drift: z.array(z.strictObject({ what: machineName, p: z.number().min(0).max(1), moved: z.string() })),
    })
    .nullable(),
  missing: z.array(z.string()),
});
export type RootCauseFacts = z.infer<typeof rootCauseFacts>;

/** What a mend does, if somebody approves it, or the charter lets it be done. */
export const mendActions = ['rollback', 'drain-replica', 'block-items', 'replay-quarantine', 'refresh-features', 'rebuild-window', 'pause-releases'] as const;
export type MendAction = (typeof mendActions)[number];
export const proposedMend = z.strictObject({
  action: z.enum(mendActions),
  /** The replica, reason of quarantine, source or artifact that it is about. */
  target: z.string().nullable(),
  why: z.string(),
});
export type ProposedMend = z.infer<typeof proposedMend>;

const evidence = z.strictObject({
  speaks: z.enum(['for', 'against']),
  says: z.string(),
  /** What was measured and what was expected, and how many standard deviations lie between them; null where it is no figure. */
  value: z.number().nullable(),
  expected: z.number().nullable(),
  deviations: z.number().nullable(),
});
export type Evidence = z.infer<typeof evidence>;

export const suspect = z.strictObject({
  cause: causeName,
  layer: z.enum(layers),
  where: z.record(z.string(), z.string()),
  /** 0 to 1. */
  score: z.number(),
  /** Share of the change in reward that it accounts for; null where that is not known. */
  explained: z.number().nullable(),
  evidence: z.array(evidence),
});
export type Suspect = z.infer<typeof suspect>;

export const diagnosis = z.strictObject({
  kind: z.literal('diagnosis'),
  surface: surfaceName,
  facts: digestString.nullable(),
  /** Where the first suspect sits; null where nothing is wrong that could be seen. */
  layer: z.enum(layers).nullable(),
  /** Best first. Those of the layer `outside` are no faults: they say what changed around us. */
  suspects: z.array(suspect),
  ruledOut: z.array(z.strictObject({ cause: causeName, why: z.string() })),
  /** Causes that could not be looked at. */
  notLookedAt: z.array(z.strictObject({ cause: causeName, why: z.string() })),
  mend: proposedMend.nullable(),
  /** Reward a slate now, as expected, and its parts: other visitors came (mix), each sort of them is worth something else (rate). */
  change: z.strictObject({ actual: z.number(), expected: z.number(), mix: z.number(), rate: z.number(), deviations: z.number() }).nullable(),
  note: z.string(),
});
export type Diagnosis = z.infer<typeof diagnosis>;

/** What is asked for: the stretch that is looked at, as seen at `atMs`. */
export const causeRequest = z.strictObject({
  surface: surfaceName,
  alert: z.string().max(200).nullable(),
  signal: z.string().max(200).nullable(),
  fromMs: epochMs,
  toMs: epochMs,
  atMs: epochMs,
  /** Whoever asks knows of one. */
  promotion: z.string().max(200).nullable(),
  /** It is looked at from then on and not before, however short that is, as after a mend. */
  exact: z.boolean(),
});
export type CauseRequest = z.infer<typeof causeRequest>;

/** One mend of a root cause: what was proposed, who let it be done, what came of it. */
export type MendDone = { action: string; target: string | null; by: string; did: string };

/** `approval`: a mend is proposed and waits for people; `watching`: it is done, and the signal is looked at again. */
export const rootCausePhases = ['gathering', 'approval', 'mending', 'watching', 'closed'] as const;
/**
 * `nothing-found`: no suspect. `no-mend`: a suspect, and nothing here that would mend it. `outside`: it is no fault. `not-answered`: nobody decided in time.
 * `not-recovered`: mended as often as it is tried, and still there. `failed`: a step could not be done.
 */
export const rootCauseOutcomes = ['recovered', 'nothing-found', 'no-mend', 'outside', 'rejected', 'not-answered', 'not-recovered', 'failed'] as const;
export type RootCauseOutcome = (typeof rootCauseOutcomes)[number];

/** Answer of the root-cause workflow's `status` query. */
export type RootCauseStatus = {
  id: string;
  surface: string;
  alert: string | null;
  phase: (typeof rootCausePhases)[number];
  why: string;
  /** 1 for the first look; a mend that did not help is followed by another. */
  look: number;
  /** Digests of what was measured and what was made of it. */
  facts: string | null;
  /** What is decided on: a vote names this digest. */
  evidence: string | null;
  layer: Layer | null;
  cause: CauseName | null;
  mend: ProposedMend | null;
  policy: ApprovalPolicy | null;
  votes: VoteResult[];
  mends: MendDone[];
  outcome: RootCauseOutcome | null;
};
