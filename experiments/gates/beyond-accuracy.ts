import { percent } from '../percent.ts';
import type { Gate } from './gate.ts';

/** What the charter asks for besides accuracy, and what it may cost. */
export const beyondAccuracyGate: Gate = ({ charter: { gates }, draft: { metrics, frontier } }) => {
  const chosen = frontier?.points.find(({ weight }) => weight === frontier.chosen);
  const plain = frontier?.points.find(({ weight }) => weight === 0)?.metrics['ndcg@10']?.value ?? 0;
  const loss = chosen === undefined || plain === 0 ? 0 : -(chosen.lift['ndcg@10']?.value ?? 0) / plain;
  const [diversity, novelty] = [metrics['diversity@10']?.value ?? 0, metrics['novelty@10']?.value ?? 0];
  const cost = `re-ranking with weight ${frontier?.chosen} costs ${percent(loss)} of NDCG@10`;
  const failed = [
    ...(loss > gates.maxDiversityLoss ? [`${cost}, at most ${percent(gates.maxDiversityLoss)} may be`] : []),
    ...(diversity < gates.minDiversity ? [`slates have a diversity of ${diversity.toFixed(3)}, at least ${gates.minDiversity} is asked for`] : []),
    ...(novelty < gates.minNovelty ? [`items have a novelty of ${novelty.toFixed(2)} bits, at least ${gates.minNovelty} is asked for`] : []),
  ];
  const fine = `diversity ${diversity.toFixed(3)}, novelty ${novelty.toFixed(2)} bits${(frontier?.chosen ?? 0) > 0 ? `; ${cost}` : ''}`;
  return {
    gate: 'beyond-accuracy',
    passed: failed.length === 0,
    value: loss,
    threshold: gates.maxDiversityLoss,
    reason: failed.length === 0 ? fine : failed.join('; '),
  };
};
