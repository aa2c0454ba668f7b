import { type ReportCase, reportCase } from '../../models/contracts/escalation.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type GenerationStore, parseGeneration } from '../../stores/generations.ts';
import { caseSeries, latestCase } from '../../stores/reports.ts';

type Of = { surface: string; caseId: string; id: string };

/** Whoever tries again does so within seconds: so many others may have joined meanwhile. */
const lookBack = 50;

/**
 * Joins a report to the open one about the same, or opens the case with it: of two at once, one is first. Asked again it answers the same.
 * @returns the id of the open one, its own where it is the first
 */
export async function joinCase(generations: GenerationStore, { surface, caseId, id }: Of): Promise<string> {
  return write(generations, { surface, caseId }, async (before) => {
    const own = await lately(generations, { surface, caseId }, before, (one) => one.open && one.report === id);
    if (own !== undefined) return { answer: own.primary };
    const isOpen = before?.open === true;
    const primary = isOpen ? before.primary : id;
    return { next: { primary, report: id, open: true, count: isOpen ? before.count + 1 : 1 }, answer: primary };
  });
}

/** Ends a case: the next report about the same is a new one. @returns how many there were */
export async function closeCase(generations: GenerationStore, { surface, caseId, id }: Of): Promise<number> {
  return write(generations, { surface, caseId }, async (before) => {
    const own = await lately(generations, { surface, caseId }, before, (one) => one.primary === id);
    const count = own?.count ?? 1;
    if (before?.primary !== id || !before.open) return { answer: count };
    return { next: { primary: id, report: id, open: false, count }, answer: count };
  });
}

type Change<T> = { next?: Omit<ReportCase, 'kind' | 'generation'>; answer: T };

async function write<T>(
  generations: GenerationStore,
  of: { surface: string; caseId: string },
  make: (before: ReportCase | undefined) => Promise<Change<T>>,
): Promise<T> {
  for (;;) {
    const before = await latestCase(generations, of);
    const { next, answer } = await make(before);
    if (next === undefined) return answer;
    const document = reportCase.parse({ kind: 'report-case', generation: (before?.generation ?? 0) + 1, ...next });
    try {
      await generations.create(caseSeries(of.surface, of.caseId), document.generation, document);
      return answer;
    } catch (error) {
      if (!(error instanceof UnderstudyError && error.code === 'UND-GENERATION-TAKEN')) throw error;
    }
  }
}

/** The newest of the last numbers that is so. */
async function lately(
  generations: GenerationStore,
  { surface, caseId }: { surface: string; caseId: string },
  latest: ReportCase | undefined,
  isSo: (one: ReportCase) => boolean,
): Promise<ReportCase | undefined> {
  const series = caseSeries(surface, caseId);
  for (let one = latest; one !== undefined; ) {
    if (isSo(one)) return one;
    const generation = one.generation - 1;
    if (generation < 1 || generation <= (latest?.generation ?? 0) - lookBack) return undefined;
    one = parseGeneration(reportCase, { series, generation, document: await generations.read(series, generation) });
  }
  return undefined;
}
