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
};

/** What rules read of the charter. */
export type RuleContext = { itemIdPattern?: string | undefined };

/** One rule, two engines: both answer whether the row breaks it, and a differential test holds them together. */
export type RecordRule = {
  /** The reason that stands beside a quarantined row. */
  name: string;
  /** Over the columns of `eventColumns`; never NULL. May read the table `foreign_items(item_id)`. */
  breaksSql: string;
  breaks(row: RuleRow, context: RuleContext): boolean;
};
