import type { ContractRule, JudgementRule, RuleAction } from '../contracts/record-rules.ts';

/** What a rule sees of a row, before it is an event: anything may be missing. */
export type RuleRow = {
  eventId: string | null;
  kind: string | null;
  userId: string | null;
  sessionId: string | null;
  itemId: string | null;
  atMs: number | null;
  requestId: string | null;
  position: number | null;
  quantity: number | null;
  unitPriceMinor: number | null;
  dwellMs: number | null;
  rating: number | null;
  deviceId: string | null;
  /** When it came in; null where nobody knows. */
  receivedAtMs: number | null;
};

/** What rules read beside the row. */
export type RuleContext = {
  /** The charter's `scope.itemIdPattern`. */
  itemIdPattern?: string | undefined;
  /** Undefined: what the catalog is made of, so that no item is unknown. */
  isKnownItem?: ((itemId: string) => boolean) | undefined;
  /** Stands for `receivedAtMs` where a row has none; null: such rows are never early or late. */
  nowMs?: number | null | undefined;
};

/** A rule as the charter has it. */
export type RuleChoice = { action: RuleAction; limit: number };

type Named = { name: ContractRule | JudgementRule };

/**
 * One rule, two engines: both answer whether the row breaks it, and a differential test holds them together. `breaksSql` speaks of the columns of
 * `eventColumns`, is never NULL, and may read the tables `foreign_items(item_id)` and `known_items(item_id)`; `:now` stands for `nowMs`.
 */
export type RowRule = Named & {
  breaksSql: (limit: number) => string;
  breaks: (row: RuleRow, context: RuleContext, limit: number) => boolean;
};

/**
 * A rule that looks at the rows before, in the order in which they came in; of those, and of this one, it sees what breaks no row rule and repeats no
 * event id. `brokenSql` gives the `raw_line` of each row of the table `sound` that breaks it.
 */
export type SequenceRule = Named & {
  brokenSql: (limit: number) => string;
  /** `remember` keeps what must be known of rows before: of a stream without end, only the newest. */
  begin: (limit: number, remember: <Value>() => Memory<Value>) => (row: RuleRow) => boolean;
};

export type Memory<Value> = { get(key: string): Value | undefined; set(key: string, value: Value): unknown };
