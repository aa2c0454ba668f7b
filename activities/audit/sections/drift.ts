import { notMeasured } from '../../../experiments/audit/judge-claim.ts';
import { driftPicture } from '../../../experiments/drift/drift-picture.ts';
import { signedPercent } from '../../../experiments/percent.ts';
import type { AuditItem } from '../../../models/contracts/audit.ts';
import { type DriftReport, type DriftQuestion, driftQuestions } from '../../../models/contracts/drift.ts';
import { asUnderstudyError } from '../../../models/contracts/problem.ts';
import { chooseModels } from '../../drift/choose-models.ts';
import { newestPeriods } from '../../drift/choose-periods.ts';
import { measureDrift } from '../../drift/measure-drift.ts';
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

/** The champion against the one before it, with the retrainings that are kept, and the newest two weeks against those before. That something moved is no fault by itself: it weakens a claim, and what it cost breaks one. */
export const drift: SectionCheck = {
  name: 'drift',
  title: 'Drift of models and data',
  async examine({ context: { state, now }, surface, charter, data, signal }) {
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
      const report = await measureDrift(state, input);
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

function costOf({ cost: { listed, all }, items }: Pick<DriftReport, 'cost' | 'items'>): AuditItem {
  const about = { id: 'drift/cost', claim: costClaim };
  if (listed === null || all === null)
    return notMeasured({ ...about, why: items.length === 0 ? 'no item is known to have moved' : 'there was no reward of these items before' });
  // A shop that sells less of all is no matter of these items.
  const status = listed.high >= 0 ? 'holds' : listed.high < all.low ? 'broken' : 'weakened';
  const says = `reward of the ${items.length} items that moved most: ${signedPercent(listed.value)}, of all: ${signedPercent(all.value)}`;
  return { ...about, status, says, value: listed.value, unit: 'share', interval: { low: listed.low, high: listed.high }, bounds: { min: 0, max: null } };
}
