import type { RowRule, RuleContext } from './record-rule.ts';

/** Whether the charter's `scope.itemIdPattern` lets the item in. */
export function inScope(itemId: string, context: RuleContext): boolean {
  return context.itemIdPattern === undefined || new RegExp(context.itemIdPattern).test(itemId);
}

/**
 * The charter's pattern is a JavaScript expression, and DuckDB speaks another dialect: so the pattern runs here once for each distinct
 * item, and SQL looks the answer up in `foreign_items`.
 */
export const outOfScopeCode: RowRule = {
  name: 'out-of-scope-code',
  breaksSql: () => '(item_id IS NOT NULL AND item_id IN (SELECT f.item_id FROM foreign_items f))',
  breaks: (row, context) => row.itemId !== null && !inScope(row.itemId, context),
};

/** `known_items` is empty where no item can be unknown. */
export const unknownItem: RowRule = {
  name: 'unknown-item',
  breaksSql: () => '(item_id IS NOT NULL AND EXISTS (FROM known_items) AND item_id NOT IN (SELECT k.item_id FROM known_items k))',
  breaks: (row, { isKnownItem }) => row.itemId !== null && isKnownItem !== undefined && !isKnownItem(row.itemId),
};
