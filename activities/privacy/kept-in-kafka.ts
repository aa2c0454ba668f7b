import { UnderstudyError } from '../../models/contracts/problem.ts';
import { topicOf } from '../../stores/kafka/log-topic.ts';
import type { State } from '../context.ts';

const streams = ['events', 'slates'] as const;
type Doomed = Readonly<Record<(typeof streams)[number], (record: unknown) => boolean>>;
type Asked = { state: State; surface: string; doomed: Doomed };

/**
 * A topic cannot be rewritten. What would be left of it where the records before some point are deleted is of no use either: segments are pinned by all
 * that they hold, and other rules take in the whole log anew.
 * @returns the topics that hold records which would have to go, and how many; none where logs are files, which are rewritten
 * @throws UND-DIGEST where a part of the log cannot be read, and nobody knows what it holds
 */
export async function keptInKafka({ state, surface, doomed }: Asked): Promise<{ topic: string; records: number }[]> {
  if (state.logKind === 'files') return [];
  const kept: { topic: string; records: number }[] = [];
  for (const stream of streams) {
    let records = 0;
    const take = (record: unknown) => {
      if (doomed[stream](record)) records += 1;
    };
    const reader = state.logReader(surface, stream);
    const damages: UnderstudyError[] = [];
    const cursor = await reader.scan({ take, onDamaged: ({ error }) => damages.push(error) });
    for (const record of (await reader.tail(cursor)).records) take(record);
    if (damages[0] !== undefined) throw damages[0];
    if (records > 0) kept.push({ topic: topicOf({ surface, stream }), records });
  }
  return kept;
}

/** @throws UND-LOG-KEPT naming the topics, before anything is touched. */
export async function refuseWhatIsKept({ surfaces, what, ...asked }: Omit<Asked, 'surface'> & { surfaces: readonly string[]; what: string }): Promise<void> {
  const kept = [];
  for (const surface of surfaces) kept.push(...(await keptInKafka({ ...asked, surface })));
  if (kept.length === 0) return;
  const named = kept.map(({ topic, records }) => `${topic} holds ${records} records ${what}`).join(', ');
  throw new UnderstudyError('UND-LOG-KEPT', `${named}; nothing was changed`, { details: { topics: kept.map(({ topic }) => topic) } });
}
