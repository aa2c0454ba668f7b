import { feedbackSteps } from '../../experiments/feedback/measure-feedback.ts';
import type { GenerationLog, OrganicEvent, ShownSlate } from '../../experiments/feedback/shown-slate.ts';
import { type FeedbackReport, feedbackReport } from '../../models/contracts/audit-measures.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import { type Event, type EventKind, unitOf } from '../../models/contracts/event.ts';
import { scopeOf } from '../../models/slate/scope.ts';
import { itemGroups } from '../evidence/item-groups.ts';
import { learnedPopularity, type MeasureContext, type MeasureInput, newestCatalog, type SampledSlate, sampleLog, takeSteps } from './measure-log.ts';

/** What is no interest of a person in an item. */
const silent: readonly EventKind[] = ['impression', 'skip', 'return'];

type Input = MeasureInput & { /** Of generations with fewer slates nothing is said. */ minSlates?: number };

/**
 * Holds what a surface showed against what was wanted, from one artifact to the next, from the logs. A generation is an artifact, from the first slate that it answered; slates of fallbacks are
 * nobody's generation. A slot was engaged with where an event of the slate says so that training or reward count; an event without a slate is organic demand, where no slate
 * of its unit showed the item within the attribution time before it.
 * @throws UND-LOG-UNAVAILABLE where the logs cannot be read
 */
export async function measureFeedback(context: MeasureContext, input: Input): Promise<FeedbackReport> {
  const { surface, charter, signal, minSlates } = input;
  const { sample, slates, events } = await sampleLog(context, { ...input, wanted: tellingKinds(charter) });
  const notes: string[] = [];
  const byModel = slates.filter(({ artifact, rung }) => artifact !== null && rung === 'model');
  if (byModel.length < slates.length) notes.push(`${slates.length - byModel.length} of ${slates.length} slates are by fallbacks, and of no generation`);
  const catalog = await newestCatalog(context, surface);
  const first = byModel[0]?.artifact;
  const popularity = first == null ? { unknown: 'no slate is by a model' } : await learnedPopularity(context, { artifact: first, charter, signal });
  if (!(popularity instanceof Map)) notes.push(`popularity is not known, and so neither deciles nor the long tail: ${popularity.unknown}`);
  const steps = feedbackSteps({
    generations: generationsOf({ slates, byModel, events, charter }),
    itemIds: scopeOf({ scope: charter.scope, items: catalog, vocabulary: [] }).allowedIds,
    popularity: popularity instanceof Map ? popularity : null,
    group: itemGroups(catalog),
    seed: charter.seed,
    ...(minSlates === undefined ? {} : { minSlates }),
  });
  const feedback = await takeSteps(steps, signal);
  return feedbackReport.parse({ kind: 'feedback', surface, sample, notes, feedback });
}

/** What training learns from, and what is rewarded. */
function tellingKinds({ confidence, reward }: Charter): Set<EventKind> {
  const kinds = [confidence, reward.weights].flatMap((weights) => Object.entries(weights).flatMap(([kind, weight]) => (weight > 0 ? [kind as EventKind] : [])));
  return new Set([...kinds, 'click' as const].filter((kind) => !silent.includes(kind)));
}

type Logged = { slates: readonly SampledSlate[]; byModel: readonly SampledSlate[]; events: readonly Event[]; charter: Charter };

/** Oldest first. */
function generationsOf({ slates, byModel, events, charter }: Logged): GenerationLog[] {
  const engaged = new Set(events.flatMap(({ requestId, itemId }) => (requestId === undefined ? [] : [`${requestId}\n${itemId}`])));
  const generations = [...Map.groupBy(byModel, ({ artifact }) => artifact as string)].map(([name, own]) => ({
    name,
    fromMs: own[0]?.atMs ?? 0,
    organic: [] as OrganicEvent[],
    slates: own.map(
      ({ requestId, unit, items, propensities, isExplorable, exploredSlots }): ShownSlate => ({
        unit,
        items,
        engaged: items.map((itemId) => engaged.has(`${requestId}\n${itemId}`)),
        propensities: isExplorable ? propensities : null,
        // Of a slate that was changed after it was drawn nobody knows what exploration put where.
        exploredSlots: propensities === null ? [] : exploredSlots,
      }),
    ),
  }));
  const ofUnit = Map.groupBy(slates, ({ unit }) => unit);
  for (const event of events) {
    const unit = unitOf(event);
    const wasShown = (slate: SampledSlate) =>
      slate.atMs <= event.atMs && event.atMs - slate.atMs <= charter.reward.attributionMs && slate.items.includes(event.itemId);
    if (event.requestId !== undefined || ofUnit.get(unit)?.some(wasShown) === true) continue;
    generations.findLast(({ fromMs }) => fromMs <= event.atMs)?.organic.push({ unit, itemId: event.itemId });
  }
  return generations;
}
