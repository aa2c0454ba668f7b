import { unitOf } from '../models/contracts/event.ts';
import type { RecommendRequest, RecommendResponse, SlateRecord } from '../models/contracts/slate.ts';
import type { Random } from '../models/random.ts';
import { challengersInPlay, registeredOf, shareInForce } from '../models/slate/assign.ts';
import { arrangementDepth, type ExposureMemory } from '../models/slate/arrange.ts';
import { type Explored, exploreSlate } from '../models/slate/explore.ts';
import type { Guarded } from '../models/slate/guardrails.ts';
import type { Assignment, Enrolments } from './enrolments.ts';
import { runChain } from './fallback/chain.ts';
import { modelRung } from './fallback/model.ts';
import type { FallbackRung, Ranking } from './fallback/rung.ts';
import { type Guard, maskOf, whyHeldBack } from './guard.ts';
import { type ModelAnswer, type ModelQuestion, noAnswer } from './models/model-messages.ts';
import type { ProfileStore } from './profiles.ts';
import type { ServedModel, Snapshot } from './snapshot.ts';
import { stageTimes } from './stage-times.ts';

export type RecommendInput = {
  request: RecommendRequest;
  /** In force when the request came; it stays the request's own to its end. */
  snapshot: Snapshot;
  profiles: Pick<ProfileStore, 'profileOf'>;
  enrolments: Pick<Enrolments, 'assign'>;
  guard: Pick<Guard, 'of' | 'generation'>;
  /** What the slates before this one owe the groups of the charter. */
  exposure: ExposureMemory;
  /** Whether a visitor who is new to the release may be given a variant for good. */
  mayEnrol?: boolean;
  /** The rungs below the model, in order. */
  rungs: readonly FallbackRung[];
  requestId: string;
  replica: string;
  nowMs: number;
  random: Random;
};
/** The record is whole when a challenger's unseen answer has come: the visitor does not wait for it. */
export type Recommended = {
  response: RecommendResponse;
  record: SlateRecord | Promise<SlateRecord>;
  stagesMs: Record<string, number>;
  modelLatencyMs: number | null;
};

/** What the visitor brings into the request. */
type Visit = {
  unit: string | null;
  segment: string;
  history: string[];
  historyWeights: number[];
  /** Null where the caller told the history, or there is none. */
  historyUntilMs: number | null;
  excluded: Set<string>;
  count: number;
  /** What may be shown to the visitor, as it was known when the request came. */
  guarded: Guarded;
};

const historyAtMost = 100;

/**
 * One slate: history and exclusions, assignment, the models, the fallback chain, and exploration as the last step. Nothing changes the slate
 * after it. It does not throw because of a model.
 */
export async function recommend(input: RecommendInput): Promise<Recommended> {
  const startedAt = performance.now();
  const stage = stageTimes();
  const { request, snapshot, requestId, nowMs } = input;
  const { spec, charter } = snapshot;
  const visit = readVisit(input);
  const assignment = input.enrolments.assign({
    canary: spec.canary,
    unit: visit.unit,
    segment: visit.segment,
    generation: spec.generation,
    nowMs,
    mayEnrol: input.mayEnrol ?? true,
  });
  stage.end('visit');
  const artifact = assignment.challenger ?? spec.champion;
  const unseen = unseenArtifact(snapshot, input.random);
  const { scope } = visit.guarded;
  const deficits = input.exposure.deficits();
  const flags = input.guard.generation();
  const needed = arrangementDepth({ ...charter, size: visit.count });
  const depth = Math.max(needed, charter.exploration.poolDepth);
  const extras = otherArtifacts(snapshot, assignment, unseen).map((other) =>
    askExtra(snapshot, visit, { artifact: other, count: Math.max(needed, visit.count + charter.exploration.challengerDepth), needed: other === unseen }),
  );
  const own = await askModel(snapshot, visit, { artifact, count: depth });
  const soon = await Promise.all(extras.map((extra) => extra.soon));
  stage.end('model');
  const ranked = await runChain({
    rungs: [modelRung(own.ranking), ...input.rungs],
    request: { history: visit.history, historyWeights: visit.historyWeights, excluded: visit.excluded, scope, depth },
    size: visit.count,
  });
  stage.end('fallback');
  const arranged = snapshot.arrange(ranked.items, visit.count, deficits);
  const drawn = exploreSlate({
    baseItems: arranged.slice(0, visit.count),
    nextItems: arranged.slice(visit.count),
    challengerRankings: soon.map(({ ranking }) => snapshot.arrange(ranking.items, visit.count, deficits)),
    scope,
    excluded: visit.excluded,
    settings: charter.exploration,
    slateSize: charter.slate.size,
    seed: input.random.uint32(),
    drawId: requestId,
  });
  const explored = lastLook(input, visit, drawn);
  if (input.exposure.remembers) input.exposure.note(explored.items, snapshot.groupsOf);
  stage.end('arrange');
  const scoreOf = new Map(ranked.items.map((itemId, place) => [itemId, ranked.scores[place] as number]));
  // An item that only another ranking knows has no score on this one's scale.
  const scores = explored.items.map((itemId) => Number((scoreOf.get(itemId) ?? 0).toPrecision(7)));
  const reason = reasonOf(ranked.reason, explored.items.length < visit.count ? whyHeldBack(explored.guarded) : undefined);
  const answered = {
    requestId,
    surface: request.surface,
    variant: assignment.variant,
    artifact: snapshot.models.has(artifact) ? artifact : null,
    generation: spec.generation,
    rung: ranked.rung,
    ...reason,
  };
  const version = snapshot.models.get(artifact)?.embeddings?.version;
  const response: RecommendResponse = {
    ...answered,
    ...(version === undefined ? {} : { embeddings: version }),
    items: explored.items.map((itemId, position) => ({ itemId, score: scores[position] as number, position })),
  };
  const record: SlateRecord = {
    schemaVersion: 1,
    ...answered,
    unit: visit.unit ?? `s:${requestId}`,
    ...(request.userId === undefined ? {} : { userId: request.userId }),
    ...(request.sessionId === undefined ? {} : { sessionId: request.sessionId }),
    atMs: nowMs,
    replica: input.replica,
    releaseId: spec.canary?.releaseId ?? null,
    stage: spec.canary?.stage ?? null,
    enrolment: assignment.enrolment,
    ...(spec.canary === null ? {} : { share: shareInForce(spec.canary, visit.segment) }),
    count: visit.count,
    rulesDigest: snapshot.rulesDigest,
    ...(flags === 0 ? {} : { flags }),
    ...(input.exposure.remembers ? { deficits } : {}),
    history: visit.history,
    historyWeights: visit.historyWeights,
    ...(visit.historyUntilMs === null ? {} : { historyUntilMs: visit.historyUntilMs }),
    ...contextOf(request),
    segment: visit.segment,
    excluded: [...visit.excluded],
    items: explored.items,
    scores,
    propensities: explored.propensities?.map(shorter) ?? null,
    conditionalPropensities: explored.conditionalPropensities?.map(shorter) ?? null,
    ...(explored.propensities === null ? { propensityVoid: 'an item was flagged while the slate was made' } : {}),
    exploration: explored.exploration === null ? null : { ...explored.exploration, poolProbabilities: explored.exploration.poolProbabilities.map(shorter) },
    latencyMs: Math.round((performance.now() - startedAt) * 1000) / 1000,
    stagesMs: stage.ms,
  };
  const shadow = extras.find((extra) => extra.artifact === unseen);
  const whole =
    shadow?.whole.then((answered) => ({ ...record, shadow: shadowOf(snapshot, shadow.artifact, answered, { count: visit.count, deficits }) })) ?? record;
  return { response, record: whole, stagesMs: stage.ms, modelLatencyMs: own.answer.error === null ? own.answer.latencyMs : null };
}

type Looked = Pick<Explored, 'items' | 'exploration'> & { [name in 'propensities' | 'conditionalPropensities']: number[] | null } & { guarded: Guarded };

/** Takes out what was flagged since the request came: nothing leaves that may not be shown when it leaves. */
function lastLook({ guard, snapshot: { charter, scope }, request, nowMs }: RecommendInput, visit: Visit, drawn: Explored): Looked {
  const guarded = guard.of({ charter, scope, audience: request.context, nowMs });
  const items = guarded === visit.guarded ? drawn.items : drawn.items.filter(guarded.scope.allowed);
  if (items.length === drawn.items.length) return { ...drawn, guarded };
  return { items, guarded, exploration: drawn.exploration, propensities: null, conditionalPropensities: null };
}

function reasonOf(...reasons: readonly (string | undefined)[]): { reason?: string } {
  const there = reasons.filter((reason) => reason !== undefined);
  return there.length === 0 ? {} : { reason: there.join('; ') };
}

/** Twelve decimals: exact for every use, and half the bytes of a slate record. */
function shorter(probability: number): number {
  return Math.round(probability * 1e12) / 1e12;
}

/** Kept where the caller gave it: no model of today reads it, a later analysis may. */
function contextOf({ context: { country, device, maturity } }: RecommendRequest): Pick<SlateRecord, 'context'> {
  const told = Object.entries({ country, device, maturity }).filter(([, value]) => value !== undefined);
  return told.length === 0 ? {} : { context: Object.fromEntries(told) };
}

function readVisit({ request, snapshot, profiles, guard, nowMs }: RecommendInput): Visit {
  const { charter, scope } = snapshot;
  const { userId, sessionId } = request;
  const unit = userId === undefined && sessionId === undefined ? null : unitOf({ userId, sessionId: sessionId ?? '' });
  const known = unit === null ? undefined : profiles.profileOf(unit);
  const told = request.context.history;
  const history: string[] = [];
  const historyWeights: number[] = [];
  for (const { itemId, kind } of told ?? []) {
    const weight = charter.confidence[kind] ?? 0;
    if (weight <= 0) continue;
    history.push(itemId);
    historyWeights.push(weight);
  }
  const excluded = new Set(request.exclude);
  if (charter.repeatPolicy === 'exclude-purchased') {
    for (const itemId of known?.purchased ?? []) excluded.add(itemId);
    for (const { itemId, kind } of told ?? []) if (kind === 'purchase') excluded.add(itemId);
  }
  const items = told === undefined ? (known?.items ?? []) : history.slice(-historyAtMost);
  return {
    unit,
    segment: request.context.segment ?? (items.length > 0 ? 'known' : 'new'),
    history: items,
    historyWeights: told === undefined ? (known?.weights ?? []) : historyWeights.slice(-historyAtMost),
    historyUntilMs: told === undefined && items.length > 0 ? (known?.untilMs ?? null) : null,
    excluded,
    count: request.count ?? charter.slate.size,
    guarded: guard.of({ charter, scope, audience: request.context, nowMs }),
  };
}

/** In shadow mode: the challenger whose unseen answer the record takes. Of several each has its part; where there is one, nothing is drawn. */
function unseenArtifact({ spec: { canary } }: Snapshot, random: Random): string | null {
  if (canary?.mode !== 'shadow') return null;
  const all = challengersInPlay(canary);
  return all[all.length > 1 ? random.below(all.length) : 0] ?? null;
}

/** The artifacts that answer beside the visitor's own: for the exploration pool, and unseen in shadow mode. */
function otherArtifacts({ spec, charter }: Snapshot, { challenger }: Assignment, unseen: string | null): readonly string[] {
  const { canary, champion } = spec;
  const isExplored = charter.exploration.slots > 0 && charter.exploration.challengerDepth > 0;
  if (!isExplored) return unseen === null ? [] : [unseen];
  const inPlay = canary === null ? [] : challengersInPlay(canary);
  if (unseen !== null) return inPlay;
  return challenger === null ? registeredOf(spec) : [champion, ...inPlay.filter((one) => one !== challenger)];
}

type Answered = { answer: ModelAnswer; ranking: Ranking };
type Wanted = { artifact: string; count: number };
/** `needed`: for the record, also where the slate does not wait for it. */
type WantedExtra = Wanted & { needed: boolean };
type Extra = { artifact: string; soon: Promise<Answered>; whole: Promise<Answered> };

async function askModel({ host, models }: Snapshot, visit: Visit, wanted: Wanted): Promise<Answered> {
  const model = models.get(wanted.artifact);
  if (host === null) return answeredOf(noAnswer('no artifact could be loaded'), model);
  return answeredOf(await host.ask(questionOf(model, { ...wanted, visit })), model);
}

/** Each other artifact is asked at the same time, in threads of its own; the slate waits for it as long as the host lets it, and no longer. */
function askExtra({ host, models }: Snapshot, visit: Visit, { needed, ...wanted }: WantedExtra): Extra {
  const { artifact } = wanted;
  const model = models.get(artifact);
  if (host === null) {
    const nobody = Promise.resolve(answeredOf(noAnswer('no artifact could be loaded'), model));
    return { artifact, soon: nobody, whole: nobody };
  }
  const { soon, whole } = host.askExtra(questionOf(model, { ...wanted, visit }), { needed });
  const answered = (answer: ModelAnswer) => answeredOf(answer, model);
  return { artifact, soon: soon.then(answered), whole: whole.then(answered) };
}

function questionOf(model: ServedModel | undefined, { artifact, count, visit }: { artifact: string; count: number; visit: Visit }): ModelQuestion {
  const question: ModelQuestion = { artifact, history: [], historyWeight: [], exclude: [], count };
  if (model === undefined) return question;
  question.mask = maskOf(visit.guarded, model.vocabulary);
  visit.history.forEach((itemId, place) => {
    const index = model.indexOf.get(itemId);
    if (index === undefined) return;
    question.history.push(index);
    question.historyWeight.push(visit.historyWeights[place] as number);
  });
  for (const itemId of visit.excluded) {
    const index = model.indexOf.get(itemId);
    if (index !== undefined) question.exclude.push(index);
  }
  return question;
}

function answeredOf(answer: ModelAnswer, model: ServedModel | undefined): Answered {
  if (answer.error !== null || model === undefined) return { answer, ranking: { items: [], scores: [], why: answer.error ?? 'not loaded' } };
  return { answer, ranking: { items: answer.items.map((index) => model.vocabulary[index] as string), scores: answer.scores } };
}

type Made = { count: number; deficits: readonly number[] };

function shadowOf(snapshot: Snapshot, artifact: string, { answer, ranking }: Answered, { count, deficits }: Made): NonNullable<SlateRecord['shadow']> {
  return {
    artifact,
    items: snapshot.arrange(ranking.items, count, deficits).slice(0, count),
    latencyMs: Math.round(answer.latencyMs * 1000) / 1000,
    error: answer.error,
  };
}
