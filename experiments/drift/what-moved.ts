import { type DriftAnswer, type DriftReport, driftQuestions } from '../../models/contracts/drift.ts';

type About = 'models' | 'days';
export const answersAbout = ({ answers }: Pick<DriftReport, 'answers'>, about: About): DriftAnswer[] =>
  answers.filter(({ what }) => driftQuestions[what] === about);

/** `none`: no item moved beyond what retraining moves, or those that did cost nothing; `as-all`: they earn less, and so does everything; `own`: less, and more so than all. */
export type Cost = 'unknown' | 'none' | 'as-all' | 'own';

/** Did the items that moved between two models cost reward? A shop that sells less of all is no matter of these items. */
export function costOfItems(report: Pick<DriftReport, 'answers' | 'cost'>): Cost {
  const { listed, all } = report.cost;
  const asked = answersAbout(report, 'models');
  if (asked.length === 0) return 'unknown';
  if (!asked.some(({ moved }) => moved)) return 'none';
  if (listed === null || all === null) return 'unknown';
  if (listed.high >= 0) return 'none';
  return listed.high < all.low ? 'own' : 'as-all';
}
