import { countItem, notMeasured } from '../../../experiments/audit/judge-claim.ts';
import { silence, type Silence } from '../../../models/contracts/alert.ts';
import { watchState } from '../../../models/contracts/watch-state.ts';
import { parseGeneration } from '../../../stores/generations.ts';
import { readAlerts } from '../../../stores/alerts.ts';
import { readLatest } from '../../context.ts';
import type { AuditInput, SectionCheck } from '../section.ts';

const [hourMs, dayMs] = [3_600_000, 86_400_000];
/** A look is due each hour; so many may be missed. */
const missedLooks = 3;
const openDays = 7;
const silentDays = 30;

/** Is the surface watched, and are its alerts answered? */
export const alerts: SectionCheck = {
  name: 'alerts',
  title: 'Watch and alerts',
  async examine(input) {
    const { generations } = input.context.state;
    const nowMs = input.context.now();
    const state = await readLatest(generations, `watch/${input.surface}`, watchState);
    const watched = { id: 'alerts/watched', claim: 'The surface is watched each hour' };
    if (state === undefined) return { items: [notMeasured({ ...watched, why: `it is not: \`understudy watch ${input.surface} --schedule\` begins it` })] };
    const late = Math.floor((nowMs - state.document.measuredToMs) / hourMs);
    const open = (await readAlerts(generations, input.surface)).filter((one) => one.state === 'open');
    const old = open.filter(({ openedAtMs }) => nowMs - openedAtMs > openDays * dayMs);
    const long = (await silences(input)).filter(({ fromMs, untilMs }) => untilMs > nowMs && untilMs - fromMs > silentDays * dayMs);
    return {
      items: [
        countItem({ ...watched, count: late, allowed: missedLooks, says: `it was last measured up to ${new Date(state.document.measuredToMs).toISOString()}` }),
        countItem({
          id: 'alerts/open',
          claim: `No alert stays open for more than ${openDays} days`,
          count: old.length,
          says: old.length === 0 ? `${open.length} are open` : old.map(({ id, says }) => `${id}: ${says}`).join('; '),
        }),
        countItem({
          id: 'alerts/silences',
          claim: `No signal is silent for more than ${silentDays} days`,
          count: long.length,
          says: long.length === 0 ? 'none is' : long.map(({ signal, part, by, why }) => `${signal} ${part} by ${by}: ${why}`).join('; '),
        }),
      ],
    };
  },
};

async function silences({ context, surface }: AuditInput): Promise<Silence[]> {
  const { generations } = context.state;
  const series = `silence/${surface}`;
  const last = (await generations.latest(series))?.generation ?? 0;
  const all = Array.from({ length: last }, (_, at) => at + 1);
  return Promise.all(all.map(async (generation) => parseGeneration(silence, { series, generation, document: await generations.read(series, generation) })));
}
