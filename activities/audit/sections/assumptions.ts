import { rangePlot } from '../../../experiments/pictures/range-plot.ts';
import { boundsOf, judgeClaim, notMeasured } from '../../../experiments/audit/judge-claim.ts';
import { checkBehind, type CharterAssumption } from '../../../models/contracts/assumption.ts';
import type { AuditItem } from '../../../models/contracts/audit.ts';
import type { Charter } from '../../../models/contracts/charter.ts';
import { asUnderstudyError } from '../../../models/contracts/problem.ts';
import { type Framing, newestDays, withFraming } from '../../framing/open-framing.ts';
import { measureCheck } from '../../framing/run-check.ts';
import { daysBetween } from '../../windows/days.ts';
import type { SectionCheck } from '../section.ts';

/** What was written by hand does not say how many days it is about: four weeks, and as many as the charter's window takes. */
const leastDays = 28;

/** Each claim behind a choice of the charter, measured again on the newest days, as many as it was measured on. */
export const assumptions: SectionCheck = {
  name: 'assumptions',
  title: 'Assumptions of the charter',
  async examine({ context, charter, data, workDir, signal }) {
    const claims = charter.assumptions.map((claim, at) => ({ claim, id: idOf(claim, at, charter.assumptions) }));
    if (claims.length === 0)
      return {
        items: [
          notMeasured({ id: 'assumptions/none', claim: 'The charter says what it assumes', why: 'it has no assumptions: `understudy frame` writes them' }),
        ],
      };
    if (data === undefined) return { items: claims.map(({ claim, id }) => notMeasured({ id, claim: claim.claim, why: 'the surface has no data yet' })) };
    const items = new Map<string, AuditItem>();
    for (const [days, some] of Map.groupBy(claims, ({ claim }) => daysOf(claim, charter))) {
      const input = { data, days: newestDays(data, days), settings: charter, blobs: context.state.blobs, workDir, signal };
      await withFraming(input, async (framing) => {
        for (const { claim, id } of some) items.set(id, await examineClaim(framing, claim, id));
      });
    }
    const found = claims.map(({ id }) => items.get(id) as AuditItem);
    const rows = found.flatMap(({ claim, value, interval, bounds, status }) =>
      value === null || bounds === null ? [] : [{ label: claim, value, interval, bounds, status }],
    );
    return {
      items: found,
      pictures: rows.length === 0 ? [] : [{ title: 'Where each lies now, and within what it holds', svg: rangePlot({ title: 'Assumptions', rows }) }],
    };
  },
};

async function examineClaim(framing: Framing, claim: CharterAssumption, id: string): Promise<AuditItem> {
  const request = checkBehind(claim);
  if (request === undefined) return notMeasured({ id, claim: claim.claim, why: `nothing measures ${claim.check ?? claim.measure}` });
  try {
    const { value, interval, unit, of, why } = await measureCheck(framing, request.check, request.params);
    if (value === null) return notMeasured({ id, claim: claim.claim, why: why ?? 'it cannot be measured' });
    const then = claim.check === undefined ? undefined : { value: claim.value, interval: claim.interval };
    const status = judgeClaim({ value, interval, min: claim.min, max: claim.max, then });
    const range = interval === undefined ? '' : ` (${short(interval.low)} to ${short(interval.high)})`;
    const was = then === undefined ? '' : `; it was ${short(then.value)} when the choice was made`;
    return {
      id,
      claim: claim.claim,
      status,
      says: `${request.check} is ${short(value)}${range}, asked of ${of}; to be ${boundsText(claim)}${was}`,
      value,
      unit,
      interval: interval ?? null,
      bounds: boundsOf(claim),
    };
  } catch (error) {
    if (asUnderstudyError(error).code !== 'UND-INPUT') throw error;
    return notMeasured({ id, claim: claim.claim, why: asUnderstudyError(error).message });
  }
}

function daysOf(claim: CharterAssumption, { window }: Pick<Charter, 'window'>): number {
  const ofWindow = window.trainDays + window.gapDays + window.testDays;
  return claim.check === undefined ? Math.max(leastDays, ofWindow) : daysBetween(claim.measuredAt.from, claim.measuredAt.to) + 1;
}

/** By check and choice, and where several have these by their place too. */
function idOf(claim: CharterAssumption, at: number, all: readonly CharterAssumption[]): string {
  const nameOf = (one: CharterAssumption) => (one.check === undefined ? one.measure : `${one.check}${one.supports}`);
  const before = all.slice(0, at).filter((other) => nameOf(other) === nameOf(claim)).length;
  return `assumptions/${nameOf(claim)}${before === 0 ? '' : `-${before + 1}`}`;
}

const short = (value: number): string => (Number.isInteger(value) ? String(value) : value.toPrecision(3));
function boundsText({ min, max }: { min?: number | undefined; max?: number | undefined }): string {
  if (min !== undefined && max !== undefined) return `${min} to ${max}`;
  return min !== undefined ? `at least ${min}` : max !== undefined ? `at most ${max}` : 'anything';
}
