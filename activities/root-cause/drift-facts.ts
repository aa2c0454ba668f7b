import { auditReport } from '../../models/contracts/audit.ts';
import type { RootCauseFacts } from '../../models/contracts/root-cause.ts';
import { type State, readLatest } from '../context.ts';
import { newestDrift } from '../drift/measure-drift.ts';

type ModelFact = NonNullable<RootCauseFacts['model']>;
export type DriftFacts = Pick<ModelFact, 'drift' | 'driftCost'>;

/** What was measured longer ago says nothing of now. */
const freshMs = 45 * 86_400_000;
const ofSection = 'drift/';

/** The newest measure of drift there is: of `understudy drift`, or of an audit. Undefined where none is fresh. */
export async function driftFacts(state: State, { surface, atMs }: { surface: string; atMs: number }): Promise<DriftFacts | undefined> {
  const isFresh = <One extends { atMs: number }>(one: One | undefined): one is One => one !== undefined && one.atMs <= atMs && atMs - one.atMs <= freshMs;
  const measured = await newestDrift(state, surface);
  const audit = (await readLatest(state.generations, `audit/${surface}`, auditReport))?.document;
  const section = audit?.sections.find(({ name }) => name === 'drift')?.items ?? [];
  const asked = section.filter(({ id, status }) => id !== `${ofSection}cost` && status !== 'not-measured');
  const isOfAudit = isFresh(audit) && asked.length > 0 && (!isFresh(measured) || measured.atMs < audit.atMs);
  if (isOfAudit) {
    const cost = section.find(({ id, status }) => id === `${ofSection}cost` && status === 'broken');
    return { drift: asked.map(({ id, value, says }) => ({ what: id.slice(ofSection.length), p: value ?? 1, moved: says })), driftCost: cost?.says ?? null };
  }
  if (!isFresh(measured) || measured.answers.length === 0) return undefined;
  const { listed, all } = measured.cost;
  const isCostly = listed !== null && all !== null && listed.high < Math.min(0, all.low);
  return {
    drift: measured.answers.map(({ what, adjusted, says }) => ({ what, p: adjusted, moved: says })),
    driftCost: isCostly ? `the items that moved most earn ${Math.round(-100 * listed.value)} % less than in the weeks before` : null,
  };
}
