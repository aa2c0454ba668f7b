import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { mkdir } from 'node:fs/promises';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type DataState, dataState } from '../../models/contracts/window.ts';
import { digestBytes } from '../../models/contracts/digest.ts';
import { getDocument } from '../../stores/blobs.ts';
import type { IngestRequest, IngestResult } from '../api.ts';
import { type Context, readCharter, readLatest } from '../context.ts';
import type { Beat } from '../worker.ts';
import { publishProfiles } from '../windows/publish-profiles.ts';
import { mergeDataState } from '../windows/merge-data-state.ts';
import { ingestBatch } from './ingest-batch.ts';
import { mapping as mappingDocument } from './mapping.ts';

/**
 * Ingests one source and makes it the surface's data. What fails leaves the data as they were; the same work again adds
 * no generation.
 */
export async function ingestSource(context: Context, request: IngestRequest, { beat, signal }: Beat): Promise<IngestResult> {
  const { blobs, generations, root } = context.state;
  const [charter, mapping] = await Promise.all([readCharter(blobs, request.charter), getDocument(blobs, request.mapping, mappingDocument)]);
  const series = `data/${request.surface}`;
  const scratch = join(root, 'run', 'scratch');
  await mkdir(scratch, { recursive: true });
  const workDir = await mkdtemp(join(scratch, 'ingest-'));
  try {
    const previous = await readLatest(generations, series, dataState);
    const { manifest, digest } = await ingestBatch({
      surface: request.surface,
      charter,
      source: { path: request.source.path, name: request.source.name },
      mapping,
      blobs,
      workDir,
      endsAt: request.endsAt ?? undefined,
      previousCatalog: previous?.document.catalog,
      signal,
      onProgress: () => beat(),
    });
    if (manifest.source.digest !== request.source.digest) throw new UnderstudyError('UND-FILE', `${request.source.path} changed while it was read`);
    const data = await publish(digest);
    beat();
    await publishProfiles(context.state, { data, charter, workDir, signal });
    const retrain = charter.retrainOnNewData && data.generation !== previous?.generation;
    return { manifest: digest, generation: data.generation, counts: manifest.counts, days: manifest.slices.length, retrain };

    async function publish(manifestDigest: string): Promise<DataState> {
      for (;;) {
        const latest = await readLatest(generations, series, dataState);
        const merged: DataState = mergeDataState({ previous: latest?.document, manifest, manifestDigest });
        if (latest !== undefined && sameData(latest.document, merged)) return latest.document;
        try {
          await generations.create(series, merged.generation, merged);
          return merged;
        } catch (error) {
          if (!(error instanceof UnderstudyError && error.code === 'UND-GENERATION-TAKEN')) throw error;
        }
      }
    }
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

function sameData(a: DataState, b: DataState): boolean {
  const essence = ({ ingest, catalog, slices }: DataState) => digestBytes(JSON.stringify([ingest, catalog, slices]));
  return essence(a) === essence(b);
}
