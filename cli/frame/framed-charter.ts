import { assumptionsOf } from '../../experiments/framing/assumptions-of.ts';
import { chosenFamilies, type Recommended } from '../../experiments/framing/recommend.ts';
import type { Assumption, CharterAssumption } from '../../models/contracts/assumption.ts';
import { type Charter, type CharterInput, parseStoredCharter } from '../../models/contracts/charter.ts';
import { canonicalJson } from '../../models/contracts/digest.ts';

/**
 * A charter with what the data speak for, the rest as it was. A choice for which nothing was measured stays as it was too. What holds by itself is left out.
 * @param charter the surface's, as it is registered
 */
export function framedCharter({ charter, recommended, measuredAt }: { charter: Charter; recommended: Recommended; measuredAt: Assumption['measuredAt'] }): {
  charter: Record<string, unknown>;
  assumptions: Assumption[];
} {
  const { objective, weights, attribution, repeats, window } = recommended;
  const attributionMs = attribution.choice.known ? attribution.choice.ms : charter.reward.attributionMs;
  const assumptions = assumptionsOf(recommended, measuredAt);
  const byHand = (charter.assumptions as CharterAssumption[]).filter((one) => one.check === undefined);
  const candidates = candidatesOf(charter, chosenFamilies(recommended));
  const framed = {
    ...charter,
    objective: objective.choice.lead === undefined ? charter.objective : objective.choice.objective,
    reward: {
      ...charter.reward,
      weights: objective.choice.lead === undefined ? charter.reward.weights : weights.choice,
      attributionMs,
    },
    repeatPolicy: repeats.reasons.length === 0 ? charter.repeatPolicy : repeats.choice,
    window: { ...charter.window, ...window.choice },
    candidates,
    bootstrap: candidates.some(({ name }) => name === charter.bootstrap) ? charter.bootstrap : candidates[0]?.name,
    release: releaseOf(charter, attributionMs),
    assumptions: [...byHand, ...assumptions],
  };
  const { canary, approvers } = framed.release;
  const least = {
    ...{ surface: framed.surface, title: framed.title, owners: framed.owners, objective: framed.objective, timeZone: framed.timeZone },
    reward: { weights: framed.reward.weights, attributionMs: framed.reward.attributionMs },
    ...{ confidence: framed.confidence, repeatPolicy: framed.repeatPolicy, window: window.choice },
    ...{ bootstrap: framed.bootstrap, candidates: framed.candidates, gates: {} },
    release: { approvers, canary: { minUnits: canary.minUnits } },
  };
  return { charter: withoutDefaults(framed, parseStoredCharter(least), least) as Record<string, unknown>, assumptions };
}

/** Those that are there and are asked for, guests among them, then the families that are missing. */
function candidatesOf({ candidates }: Charter, families: readonly string[]): NonNullable<CharterInput['candidates']> {
  const kept = candidates.filter(({ algorithm }) => families.includes(algorithm) || (['guest', 'trainer'].includes(algorithm) && families.length > 1));
  const missing = families.filter((family) => !kept.some(({ algorithm }) => algorithm === family));
  return [
    ...kept.map(({ params, ...candidate }) => (Object.keys(params).length === 0 ? candidate : { ...candidate, params })),
    ...missing.map((family) => ({ name: family, algorithm: family })),
  ];
}

/** A canary that ends before the first outcome is known would tell nothing: then it lasts as long as it does by itself. */
function releaseOf({ release }: Charter, attributionMs: number): Charter['release'] {
  const { maxDurationMs, ...canary } = release.canary;
  return maxDurationMs >= attributionMs ? release : ({ ...release, canary } as Charter['release']);
}

/** Members that are what they would be without being said are left out, except those that must be said. */
function withoutDefaults(value: unknown, byItself: unknown, needed: unknown): unknown {
  if (!isRecord(value) || !isRecord(byItself)) return value;
  const entries = Object.entries(value).flatMap(([key, member]) => {
    const own = isRecord(needed) && key in needed ? needed[key] : undefined;
    if (member === undefined || (own === undefined && canonicalJson(member) === canonicalJson(byItself[key] ?? null))) return [];
    return [[key, withoutDefaults(member, byItself[key], own)]];
  });
  return Object.fromEntries(entries);
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
