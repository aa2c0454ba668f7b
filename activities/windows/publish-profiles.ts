import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import type { DataState, WindowManifest } from '../../models/contracts/window.ts';
import { putDocument } from '../../stores/blobs.ts';
import type { State } from '../context.ts';
import { readConsents } from '../events/consent-rows.ts';
import { readHistories } from './read-shoppers.ts';

/** As long as the serving tier's own memory of a visitor. */
const itemsAtMost = 100;

type Input = { data: DataState; charter: Charter; workDir: string; signal?: AbortSignal };

/**
 * What known users did, and what people allow, for the serving tier: a generation in the series `profiles/<surface>`, so that somebody who is in the data is known
 * from the first request on. The same profiles again add no generation.
 */
export async function publishProfiles({ blobs, generations }: State, { data, charter, workDir, signal }: Input): Promise<void> {
  const always = { from: '0000-01-01', to: '9999-12-31' };
  const all: Pick<WindowManifest, 'trainSlices' | 'testSlices' | 'train' | 'test' | 'changes'> = {
    trainSlices: data.slices.filter(({ rows }) => rows > 0),
    testSlices: [],
    train: always,
    test: always,
    changes: data.changes,
  };
  const histories = await readHistories({ window: all as WindowManifest, blobs, charter, workDir, signal, maxItems: itemsAtMost, purpose: 'personalization' });
  let throughMs = 0;
  const profiles: Record<string, [string, number][]> = {};
  for (const [userId, entries] of [...histories].sort(([a], [b]) => (a < b ? -1 : 1))) {
    profiles[userId] = entries.map(({ itemId, weight }) => [itemId, weight]);
    throughMs = Math.max(throughMs, entries.at(-1)?.atMs ?? 0);
  }
  const consents = await readConsents({ paths: await Promise.all((data.changes ?? []).map(({ digest }) => blobs.localPath(digest))), signal });
  const document = {
    kind: 'profiles',
    blob: await putDocument(blobs, profiles),
    throughMs,
    ...(consents.length === 0 ? {} : { consents: await putDocument(blobs, consents) }),
  };
  const series = `profiles/${data.surface}`;
  for (;;) {
    const latest = await generations.latest(series);
    const before = latest?.document as { blob?: string; consents?: string } | undefined;
    if (before?.blob === document.blob && before.consents === document.consents) return;
    try {
      await generations.create(series, (latest?.generation ?? 0) + 1, document);
      return;
    } catch (error) {
      if (!(error instanceof UnderstudyError && error.code === 'UND-GENERATION-TAKEN')) throw error;
    }
  }
}
