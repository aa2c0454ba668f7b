import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import type { SlateRecord } from '../../models/contracts/slate.ts';
import { type Guarded, guardScope, rulesFor } from '../../models/slate/guardrails.ts';
import { openFlagReader } from '../../stores/flags.ts';
import type { State } from '../context.ts';

type Input = { charter: Pick<Charter, 'surface' | 'guardrails'>; catalog: readonly CatalogItem[]; allowed: (itemId: string) => boolean };

/**
 * What might be shown to those whom logged slates were for, by the flags that each slate obeyed; asked for slates oldest first. Where two replicas answered in
 * the second of a change, the newer flags count for both. Undefined where nothing was flagged, and of records from before.
 */
export function openReplayGuard(
  state: State,
  { charter, catalog, allowed }: Input,
): (record: Pick<SlateRecord, 'flags' | 'context' | 'atMs'>) => Promise<readonly string[] | undefined> {
  const reader = openFlagReader({ ...state, surface: charter.surface });
  const allowedIds = [...new Set(catalog.map(({ itemId }) => itemId))].filter(allowed).sort();
  const scope = { allowed, allowedIds, bias: new Float32Array(), digest: '' };
  const views = new Map<string, { guarded: Guarded; sinceMs: number }>();
  return async ({ flags, context, atMs }) => {
    if (flags === undefined) return undefined;
    if (flags > reader.generation()) {
      await reader.look(flags);
      views.clear();
    }
    const audience = { country: context?.country, maturity: context?.maturity };
    const rules = rulesFor(charter.guardrails, audience);
    const known = views.get(rules.key);
    if (known !== undefined && atMs >= known.sinceMs && atMs < known.guarded.untilMs) return among(known.guarded);
    const guarded = guardScope({ scope, book: reader.book(), rules, nowMs: atMs });
    views.set(rules.key, { guarded, sinceMs: atMs });
    return among(guarded);
  };
}

const among = ({ heldBack, scope }: Guarded): readonly string[] | undefined => (heldBack === 0 ? undefined : scope.allowedIds);
