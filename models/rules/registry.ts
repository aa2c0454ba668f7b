import { type ContractRule, type JudgementRule, judgementRules, type RecordRuleChoices } from '../contracts/record-rules.ts';
import { idRules } from './ids.ts';
import { kindRules } from './kind.ts';
import { numberRules } from './numbers.ts';
import type { RowRule, RuleChoice, SequenceRule } from './record-rule.ts';
import { outOfScopeCode, unknownItem } from './scope.ts';
import { beforeImpression, botRate } from './sequence.ts';
import { clockRules, timeRules } from './time.ts';

/** In the order in which they are asked: a row is put aside for the first one that it breaks. */
export const rowRules: readonly RowRule[] = [...idRules, outOfScopeCode, ...kindRules, ...timeRules, ...numberRules, ...clockRules, unknownItem];
export const sequenceRules: readonly SequenceRule[] = [beforeImpression, botRate];

/** What the charter has a rule do, or what it does by itself. A rule without a limit has 0. */
export function choiceOf(name: ContractRule | JudgementRule, choices: RecordRuleChoices = {}): RuleChoice {
  const own = name in judgementRules ? judgementRules[name as JudgementRule] : ({ action: 'quarantine', limit: 0 } as const);
  const chosen = choices[name] ?? own.action;
  return typeof chosen === 'string' ? { action: chosen, limit: own.limit ?? 0 } : chosen;
}

/** The rules of a list that do one of the given things, with their limits. */
export function rulesThat<Rule extends RowRule | SequenceRule>(rules: readonly Rule[], actions: readonly RuleChoice['action'][], choices?: RecordRuleChoices) {
  return rules.map((rule) => ({ rule, ...choiceOf(rule.name, choices) })).filter(({ action }) => actions.includes(action));
}
