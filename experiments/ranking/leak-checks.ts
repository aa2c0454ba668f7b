import { percent } from '../percent.ts';
import type { LeakCheck } from '../../models/contracts/report.ts';
import type { Foreknowledge } from './foreknowledge.ts';

/** What was found about a split and about the model that is measured on it. Days are calendar days of the surface, written YYYY-MM-DD. */
export type SplitFacts = {
  train: { to: string };
  test: { from: string };
  /** Of the rows that were read as train part, and as test part; null without rows. */
  lastTrainDay: string | null;
  firstTestDay: string | null;
  /** Test users whose history is not what the train part holds of them. */
  otherHistories: number;
  /** Items in the scope of the evaluation that nothing before the split had, or not for so long that they were out of stock. */
  notYetOnSale: number;
  /** Items that the scope of then would have held, left out by what came after. */
  alreadyGone: number;
};

export function checkSplit(facts: SplitFacts): LeakCheck[] {
  const { train, test, lastTrainDay, firstTestDay, otherHistories, notYetOnSale, alreadyGone } = facts;
  const isTrainIn = lastTrainDay === null || lastTrainDay <= train.to;
  const isTestIn = firstTestDay === null || firstTestDay >= test.from;
  return [
    {
      check: 'train-rows',
      passed: isTrainIn,
      reason: isTrainIn ? `no train event is later than ${train.to}` : `there are train events of ${lastTrainDay}, and training ends with ${train.to}`,
    },
    {
      check: 'test-rows',
      passed: isTestIn,
      reason: isTestIn ? `no test event is earlier than ${test.from}` : `there are test events of ${firstTestDay}, and the test part begins with ${test.from}`,
    },
    {
      check: 'histories',
      passed: otherHistories === 0,
      reason:
        otherHistories === 0
          ? 'each user is ranked by what the train part holds'
          : `${otherHistories} users are ranked by other events than their train events`,
    },
    {
      check: 'scope',
      passed: notYetOnSale + alreadyGone === 0,
      reason:
        notYetOnSale + alreadyGone === 0
          ? 'the scope is that of the split'
          : `the scope is not that of the split: ${notYetOnSale} items were not on sale then, ${alreadyGone} that were are left out`,
    },
  ];
}

/** What is known of when the model was made. */
export type ModelFacts = {
  train: { to: string };
  /** The last day that its manifest says it was trained on; null where the manifest's window is not there. */
  trainedTo: string | null;
  isGuest: boolean;
  /** Ids of its vocabulary whose first event came after the train part, and ids that no event ever had. */
  laterIds: number;
  strangerIds: number;
  foreknowledge: Foreknowledge | null;
  maxForeknowledge: number;
};

/** With so many ids that only later events have, and hardly any that none has, the vocabulary was made of later events. */
const laterIdsAtLeast = 10;
const laterShare = 0.95;

export function checkModel(facts: ModelFacts): LeakCheck[] {
  return [artifactCheck(facts), vocabularyCheck(facts), foreknowledgeCheck(facts)];
}

function artifactCheck({ train, trainedTo, isGuest }: ModelFacts): LeakCheck {
  const check = 'artifact-window';
  if (isGuest) return { check, passed: true, reason: 'a guest: nothing tells what it was trained on' };
  if (trainedTo === null) return { check, passed: false, reason: 'nothing tells what the artifact was trained on: its window is not here' };
  const passed = trainedTo <= train.to;
  return { check, passed, reason: passed ? `trained on events through ${trainedTo}` : `trained on events through ${trainedTo}, later than ${train.to}` };
}

function vocabularyCheck({ train, laterIds, strangerIds }: ModelFacts): LeakCheck {
  const passed = laterIds < laterIdsAtLeast || laterIds < laterShare * (laterIds + strangerIds);
  const what = `the vocabulary has ${laterIds} ids that no event had by ${train.to} and that later ones have`;
  return { check: 'vocabulary', passed, reason: passed ? what : `${what}: it was made of later events. Train on events through ${train.to}` };
}

function foreknowledgeCheck({ train, foreknowledge, maxForeknowledge }: ModelFacts): LeakCheck {
  const check = 'foreknowledge';
  if (foreknowledge === null) return { check, passed: true, value: null, limit: maxForeknowledge, reason: 'too few wanted items have look-alikes to tell' };
  const { value, low, high, pairs, users } = foreknowledge;
  const passed = low <= maxForeknowledge;
  const found = `of items that looked alike on ${train.to}, it puts those that users went on to want first in ${percent(value, 0)} of the cases [${percent(low, 0)}, ${percent(high, 0)}] (${pairs} wanted items of ${users} users)`;
  const reason = passed
    ? found
    : `${found}; a model that has not seen the test part cannot, beyond ${percent(maxForeknowledge, 0)}: train on events through ${train.to}`;
  return { check, passed, value, limit: maxForeknowledge, reason };
}
