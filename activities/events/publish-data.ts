import type { Charter } from '../../models/contracts/charter.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type DataState, dataState, ingestManifest, type LogMark } from '../../models/contracts/window.ts';
import { digestJson } from '../../models/contracts/digest.ts';
import { getDocument } from '../../stores/blobs.ts';
import type { IngestResult as IngestAnswer } from '../api.ts';
import { inScratch, readLatest, type State } from '../context.ts';
import { mergeDataState } from '../windows/merge-data-state.ts';
import { publishProfiles } from '../windows/publish-profiles.ts';
import type { Beat } from '../worker.ts';
import { requireBlobs } from './held-blobs.ts';
import type { IngestResult } from './ingest-batch.ts';

/** `log` and `whole` as `mergeDataState` takes them; `published` where an attempt before this one has made it a generation, behind which there may be others. */
export type Ingested = IngestResult & { log?: LogMark; whole?: boolean; published?: boolean };

type Input<Made extends Ingested> = {
  state: State;
  surface: string;
  charter: Charter;
  nowMs: () => number;
  beat: Beat;
  /** Ingests on top of the given data; asked again, with what it made before, when other data came first. */
  ingest: (input: { before: DataState | undefined; earlier: Made | undefined; workDir: string }) => Promise<Made>;
};

/**
 * Makes what `ingest` gives the surface's data, and the profiles of its users the ones that are served. What fails leaves the data as they
 * were; the same work again adds no generation.
 * @throws UND-ERASED, UND-NOT-FOUND when something that the new data name was removed while they were made.
 */
export async function publishData<Made extends Ingested>({ state, surface, charter, nowMs, beat, ingest }: Input<Made>): Promise<IngestAnswer> {
  return inScratch(state, 'ingest', async (workDir) => {
    const { data, made } = await publish(workDir);
    beat.beat();
    await publishProfiles(state, { data, charter, workDir, signal: beat.signal });
    const retrain = charter.retrainOnNewData && (await isMadeBy({ state, data, made }));
    return { manifest: made.digest, generation: data.generation, counts: made.manifest.counts, days: made.manifest.slices.length, retrain };
  });

  async function publish(workDir: string): Promise<{ data: DataState; made: Made }> {
    const series = `data/${surface}`;
    let earlier: Made | undefined;
    for (;;) {
      const before = (await readLatest(state.generations, series, dataState))?.document;
      const made = await ingest({ before, earlier, workDir });
      // What came since stands on top of it already.
      if (before !== undefined && made.published === true) return { data: before, made };
      const data = mergeDataState({ previous: before, manifest: made.manifest, manifestDigest: made.digest, log: made.log, whole: made.whole, nowMs: nowMs() });
      if (before !== undefined && holdsSame(before, data)) return { data: before, made };
      try {
        await requireBlobs(state.blobs, data);
        await state.generations.create(series, data.generation, data);
        return { data, made };
      } catch (error) {
        if (!(error instanceof UnderstudyError && error.code === 'UND-GENERATION-TAKEN')) throw error;
        earlier = made;
      }
    }
  }
}

/** What there is to read is the same, whichever ingest it came by. */
function holdsSame(a: DataState, b: DataState): boolean {
  const held = ({ catalog, inStockDays, slices, changes, quarantine }: DataState) =>
    digestJson({ catalog, inStockDays, slices, changes, quarantine: quarantine?.map(({ digest }) => digest) });
  return held(a) === held(b);
}

/** Did an ingest of this source make the generation? An attempt before this one may have published it and died before it could say so. */
async function isMadeBy({ state, data, made }: { state: State; data: DataState; made: IngestResult }): Promise<boolean> {
  const { source } = await getDocument(state.blobs, data.ingest, ingestManifest);
  return source.name === made.manifest.source.name;
}
