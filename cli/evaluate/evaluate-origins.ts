import { poolOrigins } from '../../experiments/ranking/pool-origins.ts';
import type { Spread } from '../../models/contracts/report.ts';
import { type EvaluateInput, type Evaluation, evaluate } from './evaluate.ts';
import type { InteractionRows } from './read-interactions.ts';
import { type DaySpan, type SplitSettings, splitRows } from './split-rows.ts';

export type OriginEvaluation = Pick<Evaluation, 'users' | 'metrics' | 'trainSeconds'> & { train: DaySpan; test: DaySpan };
export type OriginsEvaluation = { model: string; origins: OriginEvaluation[]; pooled: Record<string, Spread> };

type Input = Omit<EvaluateInput, 'train' | 'validation' | 'test' | 'asks'> & { rows: InteractionRows; split: SplitSettings };

/** Trains and measures once an origin, the latest first, each as `evaluate` does on two files. */
export async function evaluateOrigins({ rows, split, ...settings }: Input): Promise<OriginsEvaluation> {
  const origins: OriginEvaluation[] = [];
  for (const { train, test, trainDays, testDays } of splitRows(rows, split)) {
    settings.report(`origin ${origins.length + 1} of ${split.origins}: trained through ${trainDays.to}, tested from ${testDays.from}`);
    const { users, metrics, trainSeconds } = await evaluate({ ...settings, train, test, asks: 'rest' });
    origins.push({ train: trainDays, test: testDays, users, metrics, trainSeconds });
  }
  return { model: settings.model, origins, pooled: poolOrigins(origins.map(({ metrics }) => metrics)) };
}
