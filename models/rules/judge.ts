import type { ContractRule, JudgementRule, RecordRuleChoices } from '../contracts/record-rules.ts';
import type { Memory, RuleContext, RuleRow } from './record-rule.ts';
import { rowRules, rulesThat, sequenceRules } from './registry.ts';

export type Judgement = {
  /** The first rule that puts the row aside (or, in a batch, stops it); null where it is accepted. */
  reason: ContractRule | JudgementRule | null;
  /** Rules that only warn, and that an accepted row breaks. */
  warnings: JudgementRule[];
};

/**
 * The record rules over a stream: rows are judged one after the other, in the order in which they come in. The same rows as a batch are judged alike by
 * `stageRows`, as long as `remember` forgets nothing. Repeated event ids are for the caller to leave out: after `breaksRow`, before `judge`.
 */
export function createJudge({
  choices,
  context,
  remember,
}: {
  choices: RecordRuleChoices | undefined;
  context: RuleContext;
  remember: <Value>() => Memory<Value>;
}) {
  const strict = rulesThat(rowRules, ['quarantine', 'stop'], choices);
  const mild = rulesThat(rowRules, ['warn'], choices);
  const inSequence = rulesThat(sequenceRules, ['warn', 'quarantine', 'stop'], choices).map(({ rule, action, limit }) => ({
    name: rule.name,
    action,
    breaks: rule.begin(limit, remember),
  }));

  /** The first row rule that puts the row aside. */
  function breaksRow(row: RuleRow): Judgement['reason'] {
    return strict.find(({ rule, limit }) => rule.breaks(row, context, limit))?.rule.name ?? null;
  }

  return {
    breaksRow,
    judge(row: RuleRow): Judgement {
      const reason = breaksRow(row);
      if (reason !== null) return { reason, warnings: [] };
      // Every one of them sees every row, whatever the others say of it.
      const broken = inSequence.filter(({ breaks }) => breaks(row));
      const aside = broken.find(({ action }) => action !== 'warn');
      if (aside !== undefined) return { reason: aside.name, warnings: [] };
      const warned = mild.filter(({ rule, limit }) => rule.breaks(row, context, limit)).map(({ rule }) => rule.name);
      return { reason: null, warnings: [...warned, ...broken.map(({ name }) => name)] as JudgementRule[] };
    },
  };
}
