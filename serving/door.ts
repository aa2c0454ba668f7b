import { LRUCache } from 'lru-cache';
import { type AnyEvent, isInteraction } from '../models/contracts/event-schemas.ts';
import type { Event } from '../models/contracts/event.ts';
import { createJudge, type Judgement } from '../models/rules/judge.ts';
import type { Memory, RuleRow } from '../models/rules/record-rule.ts';
import type { Snapshot } from './snapshot.ts';

/** Where each event of a surface comes in: the record rules of its charter, over what this replica has seen. */
export type Door = {
  /** Of a change, as of anything that is no interaction, there is nothing to judge. */
  judge(event: AnyEvent, receivedAtMs: number): Judgement;
};

/** So many slates' items, and so many visitors' minutes, are remembered for the rules that look back. */
const rememberedAtMost = 200_000;

export function createDoor({ snapshot }: { snapshot: () => Pick<Snapshot, 'charter' | 'inCatalog' | 'spec'> }): Door {
  let made: { charter: string; judge: ReturnType<typeof createJudge> } | undefined;

  /** What was seen under one charter says nothing under another. */
  function current(): ReturnType<typeof createJudge> {
    const { spec, charter } = snapshot();
    if (made?.charter !== spec.charter) {
      const judge = createJudge({
        choices: charter.data.recordRules,
        context: { itemIdPattern: charter.scope.itemIdPattern, isKnownItem: (itemId) => snapshot().inCatalog(itemId) },
        remember: <Value>() => new LRUCache<string, Value & object>({ max: rememberedAtMost }) as unknown as Memory<Value>,
      });
      made = { charter: spec.charter, judge };
    }
    return made.judge;
  }

  return {
    judge: (event, receivedAtMs) => (isInteraction(event) ? current().judge(ruleRowOf(event, receivedAtMs)) : { reason: null, warnings: [] }),
  };
}

function ruleRowOf(event: Event, receivedAtMs: number): RuleRow {
  const { eventId, kind, userId, sessionId, itemId, atMs, requestId, position, quantity, unitPriceMinor, dwellMs, rating, deviceId } = event;
  return {
    eventId,
    kind,
    userId: userId ?? null,
    sessionId,
    itemId,
    atMs,
    requestId: requestId ?? null,
    position: position ?? null,
    quantity: quantity ?? null,
    unitPriceMinor: unitPriceMinor ?? null,
    dwellMs: dwellMs ?? null,
    rating: rating ?? null,
    deviceId: deviceId ?? null,
    receivedAtMs,
  };
}
