import { dataState, ingestManifest } from '../../models/contracts/window.ts';
import { getDocument } from '../../stores/blobs.ts';
import type { IngestRequest, IngestResult } from '../api.ts';
import { type Context, readCharter, type State } from '../context.ts';
import { dayIn } from '../windows/days.ts';
import { parseGeneration } from '../../stores/generations.ts';
import { openPseudonyms } from '../../stores/pseudonym-key.ts';
import type { Beat } from '../worker.ts';
import { type IngestedBatch, ingestBatch, rebaseBatch } from './ingest-batch.ts';
import { mapping as mappingDocument } from './mapping.ts';
import { publishData } from './publish-data.ts';

/** Ingests one source and makes it the surface's data. */
export async function ingestSource(context: Context, request: IngestRequest, beat: Beat): Promise<IngestResult> {
  const { state } = context;
  const { blobs } = state;
  const [charter, mapping] = await Promise.all([readCharter(blobs, request.charter), getDocument(blobs, request.mapping, mappingDocument)]);
  const pseudonyms = await openPseudonyms({ generations: state.generations, surface: request.surface, charter, key: context.pseudonymKey });
  return publishData<IngestedBatch>({
    state,
    surface: request.surface,
    charter,
    nowMs: context.now,
    beat,
    ingest: async ({ before, earlier, workDir }) => {
      if (earlier !== undefined) return rebaseBatch({ batch: earlier, mapping, before, blobs, workDir });
      return ingestBatch({
        surface: request.surface,
        charter,
        source: request.source,
        mapping,
        blobs,
        workDir,
        endsAt: request.endsAt ?? undefined,
        asOfDay: dayIn(charter.timeZone, context.now()),
        nowMs: context.now(),
        pseudonyms,
        before,
        columnsBefore: await columnsBefore(state, { surface: request.surface, source: request.source.name }),
        signal: beat.signal,
        onProgress: () => beat.beat(),
      });
    },
  });
}

/** The columns that the last file of a source had. */
async function columnsBefore({ blobs, generations }: State, { surface, source }: { surface: string; source: string }): Promise<readonly string[] | undefined> {
  const series = `data/${surface}`;
  for (let generation = (await generations.latest(series))?.generation ?? 0; generation > 0; generation -= 1) {
    const { ingest } = parseGeneration(dataState, { series, generation, document: await generations.read(series, generation) });
    const manifest = await getDocument(blobs, ingest, ingestManifest);
    if (manifest.source.name === source) return manifest.source.columns;
  }
  return undefined;
}
