import { type Alert, alert, alertSeries, type Silence, silence } from '../models/contracts/alert.ts';
import { UnderstudyError } from '../models/contracts/problem.ts';
import { type GenerationStore, parseGeneration } from './generations.ts';
import { appendLedgerIfPossible, type NewEntry } from './ledger.ts';

/** Every alert of a surface as it stands, the newest first. */
export async function readAlerts(generations: GenerationStore, surface: string): Promise<Alert[]> {
  const series = await generations.series(alertSeries(surface, ''));
  const latest = await Promise.all(series.map(async (name) => ({ series: name, found: await generations.latest(name) })));
  const found = latest.flatMap(({ series: name, found: one }) => (one === undefined ? [] : parseGeneration(alert, { series: name, ...one })));
  return found.sort((a, b) => b.openedAtMs - a.openedAtMs || (a.id < b.id ? -1 : 1));
}

const seriesOf = (surface: string) => `silence/${surface}`;
type Of = Pick<Alert, 'surface' | 'signal' | 'part' | 'direction'>;

/** The silence that holds at `atMs` for what an alert is about; undefined where none does. Of several the last that was asked for. */
export async function silenceOf(generations: GenerationStore, { surface, signal, part, direction }: Of, atMs: number): Promise<Silence | undefined> {
  const series = seriesOf(surface);
  for (let number = (await generations.latest(series))?.generation ?? 0; number > 0; number -= 1) {
    const found = await readSilence(generations, surface, number);
    if (found.signal !== signal || found.part !== part || found.direction !== direction) continue;
    return found.fromMs <= atMs && atMs < found.untilMs ? found : undefined;
  }
  return undefined;
}

type Asked = Pick<Silence, 'by' | 'why' | 'untilMs'> & { nowMs: number };

/** Nobody is told of what the alert is about until then. A later silence of the same takes the place of an earlier one. @throws UND-INPUT */
export async function silenceAlert(generations: GenerationStore, about: Of, { by, why, untilMs, nowMs }: Asked): Promise<Silence> {
  if (untilMs <= nowMs) throw new UnderstudyError('UND-INPUT', 'A silence must end later than now');
  const { surface, signal, part, direction } = about;
  for (;;) {
    const generation = ((await generations.latest(seriesOf(surface)))?.generation ?? 0) + 1;
    const next = silence.parse({ kind: 'silence', surface, generation, signal, part, direction, by, why, fromMs: nowMs, untilMs });
    try {
      await generations.create(seriesOf(surface), generation, next);
    } catch (error) {
      if (error instanceof UnderstudyError && error.code === 'UND-GENERATION-TAKEN') continue;
      throw error;
    }
    await appendLedgerIfPossible(generations, silenceEntry(next));
    return next;
  }
}

/** The ledger's word on a silence. */
export const silenceEntry = ({ surface, generation, signal, part, direction, by, why, fromMs, untilMs }: Silence): NewEntry => ({
  ...{ operationId: `silence/${generation}`, atMs: fromMs, surface, action: 'alert-silenced', by, releaseId: null },
  detail: { signal, part, direction, why, untilMs },
});

/** @throws UND-NOT-FOUND */
export async function readSilence(generations: GenerationStore, surface: string, generation: number): Promise<Silence> {
  const series = seriesOf(surface);
  return parseGeneration(silence, { series, generation, document: await generations.read(series, generation) });
}
