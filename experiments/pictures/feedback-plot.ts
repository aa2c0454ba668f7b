import { type FeedbackFigure, type FeedbackMeasures, feedbackFigures } from '../../models/contracts/audit-measures.ts';
import { seriesPlot } from './series-plot.ts';

export const figureTitles: Record<FeedbackFigure, string> = {
  coverage: 'coverage',
  gini: 'Gini',
  entropy: 'entropy, bits',
  longTailShare: 'long tail',
  homogenization: 'homogenization',
  correlation: 'correlation',
  lastSlotExamination: 'last slot',
  amplification: 'amplification',
};

/** Figures of a surface from one generation of the model to the next, a panel each. */
export function feedbackPlot(
  { generations }: Pick<FeedbackMeasures, 'generations'>,
  { surface, figures = feedbackFigures }: { surface: string; figures?: readonly FeedbackFigure[] },
): string {
  const panels = figures.map((name) => ({
    title: figureTitles[name],
    series: [{ label: surface, colour: '#1d4ed8', values: generations.map((one) => one.figures[name] ?? null) }],
  }));
  return seriesPlot({ title: `${surface}, from one generation of the model to the next`, across: 'generation', panels });
}
