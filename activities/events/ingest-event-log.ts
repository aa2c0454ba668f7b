import type { Charter } from '../../models/contracts/charter.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type LogMark, logSource } from '../../models/contracts/window.ts';
import type { SealedSegment } from '../../stores/event-log.ts';
import type { IngestResult } from '../api.ts';
import { type Context, readCharter } from '../context.ts';
import { currentCharter } from '../registry/charters.ts';
import { sealLog } from '../release/seal-log.ts';
import { openPseudonyms } from '../../stores/pseudonym-key.ts';
import type { Beat } from '../worker.ts';
import { eventMapping, ingestLog } from './ingest-log.ts';
import { type Ingested, publishData } from './publish-data.ts';
import { rulesDigestOf } from './stage-rows.ts';

/**
 * Makes what visitors did the surface's data: the live replicas seal their logs, and the events of all sealed segments that are not in the data
 * yet are sliced as a batch is. Running it again adds nothing; other rules than before take in the whole log anew.
 * @throws UND-NO-DATA while there is no catalog that says what the surface has; UND-SERVING when a live replica cannot seal its log.
 */
export async function ingestEventLog(context: Context, request: { surface: string; charter: string | null }, beat: Beat): Promise<IngestResult> {
  const { state } = context;
  const { surface } = request;
  const charter = await readCharter(state.blobs, request.charter ?? (await currentCharter(state, surface)));
  await sealLog(context, { surface });
  const reader = state.logReader(surface, 'events');
  const pseudonyms = await openPseudonyms({ generations: state.generations, surface, charter, key: context.pseudonymKey });
  return publishData<Ingested>({
    state,
    surface,
    charter,
    nowMs: context.now,
    beat,
    ingest: async ({ before, workDir }) => {
      if (before === undefined) throw new UnderstudyError('UND-NO-DATA', `${surface} has no data yet: ingest a file first, which also says what the items are`);
      const rules = rulesOf(charter);
      const whole = before.log?.rules !== rules;
      // Listed anew each time: what was erased since is another segment now.
      const { fresh, through } = pick(await reader.sealed(), whole ? {} : (before.log?.through ?? {}));
      const ingested = await ingestLog({
        surface,
        charter,
        sourceName: logSource,
        events: reader.read(fresh),
        previous: whole ? { slices: [] } : before,
        quarantine: whole ? [] : before.quarantine,
        catalog: before.catalog,
        blobs: state.blobs,
        workDir,
        nowMs: context.now(),
        pseudonyms,
        signal: beat.signal,
      });
      return { ...ingested, log: { rules, through }, whole };
    },
  });
}

/** What decides which slice an event of the log stands in, if in any. */
function rulesOf(charter: Charter): string {
  return rulesDigestOf({ mapping: eventMapping, charter: { ...charter, data: { ...charter.data, rules: [] } } });
}

/** Segments behind the mark, and the mark behind them. Each life of a writer has its segments sealed in the order of their numbers. */
function pick(sealed: readonly SealedSegment[], mark: LogMark['through']): { fresh: SealedSegment[]; through: LogMark['through'] } {
  const through = { ...mark };
  const fresh = sealed.filter(({ name }) => {
    const { writer = name, digits = '1', life = '' } = /^(?<writer>.*)-(?<digits>[0-9]{8})(?<life>.*)$/.exec(name)?.groups ?? {};
    const number = Number(digits);
    if (number <= (mark[writer + life] ?? 0)) return false;
    through[writer + life] = Math.max(through[writer + life] ?? 0, number);
    return true;
  });
  return { fresh, through };
}
