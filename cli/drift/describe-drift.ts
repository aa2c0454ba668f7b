import { percent, signedPercent } from '../../experiments/percent.ts';
import type { DriftReport } from '../../models/contracts/drift.ts';
import { table } from '../output.ts';

type Reward = DriftReport['items'][number]['reward'];

/** A report as text for a person. */
export function describeDrift(report: DriftReport): string {
  const { surface, generation, models, days, answers, notMeasured, columns, items, segments, cost, alpha } = report;
  const moved = answers.filter((one) => one.moved);
  return [
    `${surface}, drift ${generation}: ${moved.length === 0 ? 'nothing moved that is more than chance' : `${moved.map(({ what }) => what).join(', ')} moved`}`,
    [
      ...(models === null ? [] : modelLines(models)),
      ...(days === null ? [] : [`days    ${days.from.from} to ${days.from.to}, then ${days.to.from} to ${days.to.to}`]),
    ].join('\n'),
    table(
      ['question', 'p', 'adjusted', 'answer', 'what'],
      answers.map((one) => [one.what, figure(one.p), figure(one.adjusted), one.moved ? 'moved' : 'as before', one.says]),
    ),
    notMeasured.map(({ what, why }) => `not asked: ${what}: ${why}`).join('\n'),
    columns.length === 0
      ? ''
      : table(
          ['column', 'distance', 'adjusted p', 'mean before', 'after', 'psi (by chance)'],
          columns.map(({ name, distance, p, means, psi, psiByChance }) => [
            name,
            figure(distance),
            figure(p),
            figure(means[0]),
            figure(means[1]),
            `${figure(psi)} (${figure(psiByChance)})`,
          ]),
        ),
    items.length === 0
      ? ''
      : table(
          ['item', 'beyond retraining', 'share', 'reward of the newer days'],
          items.map(({ itemId, beyond, share, reward }) => [itemId, figure(beyond), percent(share), rewardText(reward)]),
        ),
    segments.length === 0
      ? ''
      : table(
          ['segment', 'items', 'beyond retraining', 'share', 'reward of the newer days'],
          segments.map(({ segment, items: count, beyond, share, reward }) => [segment, String(count), figure(beyond), percent(share), rewardText(reward)]),
        ),
    cost.all === null ? '' : `reward: ${items.length === 0 ? '' : `of the items above together ${rewardText(cost.listed)}, `}of all ${rewardText(cost.all)}`,
    `Adjusted for all that was asked of models, and of days: at most ${percent(alpha, 0)} of what is said to have moved has not.`,
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function modelLines({ from, to, retrainings, items, answersChanged }: NonNullable<DriftReport['models']>): string[] {
  const line = ({ candidate, artifact, trainedOn }: typeof from) => `${candidate} ${artifact.slice(0, 19)}, trained on ${trainedOn.from} to ${trainedOn.to}`;
  return [
    `from    ${line(from)}`,
    `to      ${line(to)}`,
    `${items} items in common, ${retrainings} retrainings of the older${answersChanged === null ? '' : `; ${percent(answersChanged)} of users' best ten are others`}`,
  ];
}

const figure = (value: number): string => (Number.isInteger(value) ? String(value) : value.toPrecision(3));
const rewardText = (reward: Reward): string =>
  reward === null ? 'none before' : `${signedPercent(reward.value)} [${signedPercent(reward.low)}, ${signedPercent(reward.high)}]`;
