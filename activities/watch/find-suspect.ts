import { z } from 'zod';
import type { Alert } from '../../models/contracts/alert.ts';
import type { GenerationStore } from '../../stores/generations.ts';

/** What changed so long before something began may have begun it. */
const lookBackMs = 6 * 3_600_000;
/** When it began is known to the hour or two. */
const lookAheadMs = 3_600_000;

const dated = z.looseObject({ createdAtMs: z.number().optional(), atMs: z.number().optional() });
const written = z.looseObject({ author: z.looseObject({ name: z.string(), reason: z.string() }) });

/** What a change is called, by the series that holds it. */
const kinds: { series: string; what: (generation: number, document: unknown) => string }[] = [
  {
    series: 'deployment',
    what: (generation, document) => {
      const { author } = written.safeParse(document).data ?? {};
      return `generation ${generation} of the deployment${author === undefined ? '' : `, by ${author.name}: ${author.reason}`}`;
    },
  },
  { series: 'charter', what: (generation) => `version ${generation} of the charter` },
];

/** The change here that was nearest before something began; null where there was none. Where to begin to look, not a verdict. */
export async function findSuspect(generations: GenerationStore, { surface, sinceMs }: { surface: string; sinceMs: number }): Promise<Alert['suspect']> {
  const changes: { what: string; atMs: number }[] = [];
  for (const { series, what } of kinds) {
    const name = `${series}/${surface}`;
    for (let number = (await generations.latest(name))?.generation ?? 0; number > 0; number -= 1) {
      const document = await generations.read(name, number);
      const { createdAtMs, atMs = createdAtMs } = dated.safeParse(document).data ?? {};
      if (atMs === undefined || atMs < sinceMs - lookBackMs) break;
      if (atMs < sinceMs + lookAheadMs) changes.push({ what: what(number, document), atMs: Math.round(atMs) });
    }
  }
  const distance = ({ atMs }: { atMs: number }) => Math.abs(atMs - sinceMs);
  return changes.sort((a, b) => distance(a) - distance(b))[0] ?? null;
}
