import { onTestFinished } from 'vitest';
import type { CharterInput } from '../../models/contracts/charter.ts';
import { putDocument } from '../../stores/blobs.ts';
import type { PreparedRetrain, Trained } from '../api.ts';
import { openEvidence } from '../evidence/testing.ts';
import { quietBeat } from '../events/testing.ts';
import { recordRun } from '../registry/runs.ts';
import { addDays } from '../windows/days.ts';
import { prepareRetrain } from '../windows/prepare-retrain.ts';
import { trainCandidate } from './train-candidate.ts';

type Input = { happenings: Parameters<typeof openEvidence>[0]['happenings']; charter: Partial<CharterInput>; nowMs: number };

/** A surface `home` whose runs follow each other as its data go on: prepared, trained and recorded, without being judged. */
export async function openTrainings(input: Input) {
  const evidence = await openEvidence(input);
  onTestFinished(() => evidence.close());
  const { context, dataState, charter } = evidence;
  const { blobs, generations } = context.state;
  const charterDigest = await putDocument(blobs, charter);
  let generation = 0;
  return {
    ...evidence,
    blobs,
    charterDigest,
    /** The data as they stood so many days before the last. */
    async until(daysBefore: number): Promise<void> {
      generation += 1;
      const last = addDays(evidence.window.test.to, -daysBefore);
      await generations.create('data/home', generation, { ...dataState, generation, slices: dataState.slices.filter(({ day }) => day <= last) });
    },
    /** @param candidates of the charter; absent: all, or the bootstrap's while nothing is live */
    prepareAll: (candidates: string[] | null = null): Promise<PreparedRetrain[]> =>
      prepareRetrain(context, { surface: 'home', charter: charterDigest, candidates, guest: null }, quietBeat),
    async train(work: PreparedRetrain): Promise<Trained> {
      const trained = await trainCandidate(context, work, quietBeat);
      const nothing = await putDocument(blobs, { kind: 'nothing' });
      await recordRun(
        context,
        {
          ...{ retrain: work, trained, log: { segments: null, slates: 0 } },
          evaluated: { report: nothing, metrics: nothing, passed: true, reasons: [], intent: 'bootstrap', champion: null },
          registered: { mlflowRunId: null, modelVersion: null },
        } as unknown as Parameters<typeof recordRun>[1],
        { algorithm: 'any', seed: 1 },
      );
      return trained;
    },
  };
}
