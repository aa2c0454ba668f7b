import { readLatest, type State } from '../../activities/context.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type DataState, dataState } from '../../models/contracts/window.ts';

/** @throws UND-NO-DATA */
export async function currentData(state: State, surface: string): Promise<DataState> {
  const latest = await readLatest(state.generations, `data/${surface}`, dataState);
  if (latest === undefined) throw new UnderstudyError('UND-NO-DATA', `${surface} has no data yet: understudy ingest`);
  return latest.document;
}
