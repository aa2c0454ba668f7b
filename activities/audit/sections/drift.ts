import { notMeasured } from '../../../experiments/audit/judge-claim.ts';
import { driftPicture } from '../../../experiments/drift/drift-picture.ts';
import { answersAbout, costOfItems } from '../../../experiments/drift/what-moved.ts';
import { signedPercent } from '../../../experiments/percent.ts';
import type { AuditItem } from '../../../models/contracts/audit.ts';
import { type DriftReport, type DriftQuestion, driftQuestions } from '../../../models/contracts/drift.ts';
import { asUnderstudyError } from '../../../models/contracts/problem.ts';
import { chooseModels } from '../../drift/choose-models.ts';
import { newestPeriods } from '../../drift/choose-periods.ts';
import { measureDrift, recordDrift } from '../../drift/measure-drift.ts';
import type { SectionCheck } from '../section.ts';

const claims: Record<DriftQuestion, string> = {
  'item-vectors': 'Items lie where the champion before had them, but for what retraining moves',
  neighbours: 'Items are near those that they were near for the champion before, but for what retraining changes',
  features: 'Users do what they did two weeks before, in each feature',
  'features-together': 'Users do what they did two weeks before, all features together',
  'features-told-apart': 'No classifier tells users of the newest two weeks from those before',
  scores: 'A model scores the newest two weeks as those before',
  'user-vectors': 'A model puts users of the newest two weeks where it put those before',
  'label-rate': 'As much is rewarded as in the two weeks before',
};
const costClaim = 'What moved most cost no reward';
const weeks = 2;

/**
 * The champion against the one before it, with the retrainings that are kept, and the newest two weeks against those before; what is found is the next generation of `drift/<surface>`, which watch and
 * root cause read. That something moved is no fault by itself: it weakens a claim, and what it cost breaks one.
 */
export const drift: SectionCheck = {
  name: 'drift',
  title: 'Drift of models and data',
  async examine({ context: { state, now }, surface, charter, data, signal, writes }) {
    const none = (why: string) => ({
      items: [
        ...Object.entries(claims).map(([what, claim]) => notMeasured({ id: `drift/${what}`, claim, why })),
        notMeasured({ id: 'drift/cost', claim: costClaim, why }),
      ],
    });
    if (data === undefined) return none('the surface has no data yet');
    try {
      const models = await chooseModels(state, { surface });
      const periods = newestPeriods(data, weeks);
      const input = { surface, charter, data, models, periods, retrain: 0, seed: charter.seed, now, onStep: () => undefined, signal };
      const report = await (writes ? recordDrift : measureDrift)(state, input);
      const pictures = report.answers.length === 0 ? [] : [{ title: 'What moved, and what became of its reward', svg: driftPicture(report) }];
      return { items: [...itemsOf(report), costOf(report)], pictures };
    } catch (error) {
      const { code, message } = asUnderstudyError(error);
      if (code === 'UND-INTERNAL') throw error;
      return none(message);
    }
  },
};

function itemsOf({ answers, notMeasured: unasked, alpha }: Pick<DriftReport, 'answers' | 'notMeasured' | 'alpha'>): AuditItem[] {
  const asked = answers.map(
    ({ what, adjusted, moved, says }): AuditItem => ({
      ...{ id: `drift/${what}`, claim: claims[what], status: moved ? 'weakened' : 'holds', says: `${says}; p ${adjusted.toPrecision(2)}` },
      ...{ value: adjusted, unit: 'p', interval: null, bounds: { min: alpha, max: null } },
    }),
  );
  const others = unasked.map(({ what, why }) => notMeasured({ id: `drift/${what}`, claim: claims[what], why }));
  return Object.keys(driftQuestions).flatMap((what) => [...asked, ...others].filter(({ id }) => id === `drift/${what}`));
}

const costStatus = { none: 'holds', 'as-all': 'weakened', own: 'broken' } as const;

function costOf(report: Pick<DriftReport, 'cost' | 'items' | 'answers'>): AuditItem {
  const about = { id: 'drift/cost', claim: costClaim };
  const { listed, all } = report.cost;
  const cost = costOfItems(report);
  if (cost === 'unknown') {
    const isAsked = answersAbout(report, 'models').length > 0;
    return notMeasured({ ...about, why: isAsked ? 'there was no reward of the items that moved before' : 'which items moved beyond retraining is not known' });
  }
  const says =
    listed === null || all === null
      ? 'no item moved by more than retraining moves it'
      : `reward of the ${report.items.length} items that moved most: ${signedPercent(listed.value)}, of all: ${signedPercent(all.value)}`;
  const figures =
    listed === null
      ? { value: null, unit: null, interval: null, bounds: null }
      : { value: listed.value, unit: 'share' as const, interval: { low: listed.low, high: listed.high }, bounds: { min: 0, max: null } };
  return { ...about, status: costStatus[cost], says, ...figures };
}
