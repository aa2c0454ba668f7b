import { type EventTable, kindIndex } from './read-events.ts';

/**
 * Which rows count, [rows] 1 or 0. A return undoes earlier purchases of the same item by the same unit, the newest first, by quantity: a
 * purchase of which all was sent back does not count; one of which a part was kept does. Returns themselves never count, nor does a return
 * without a purchase before it do anything.
 */
export function rowsAfterReturns(events: EventTable): Uint8Array {
  const counts = new Uint8Array(events.rows).fill(1);
  const returned = kindIndex('return');
  const purchase = kindIndex('purchase');
  let from = 0;
  while (from < events.rows) {
    let to = from;
    let anyReturn = false;
    while (to < events.rows && events.unit[to] === events.unit[from]) {
      if (events.kind[to] === returned) anyReturn = true;
      to += 1;
    }
    if (anyReturn) undoWithin({ events, counts, from, to, returned, purchase });
    from = to;
  }
  return counts;
}

type Span = { events: EventTable; counts: Uint8Array; from: number; to: number; returned: number; purchase: number };

function undoWithin({ events, counts, from, to, returned, purchase }: Span): void {
  /** Of each item: purchases of which something is left, oldest first. */
  const open = new Map<number, { row: number; left: number }[]>();
  for (let row = from; row < to; row += 1) {
    const item = events.item[row] ?? 0;
    const quantity = events.quantity[row] ?? 1;
    if (events.kind[row] === purchase) {
      const bought = open.get(item) ?? [];
      bought.push({ row, left: quantity });
      open.set(item, bought);
    } else if (events.kind[row] === returned) {
      counts[row] = 0;
      undo({ bought: open.get(item) ?? [], quantity, counts });
    }
  }
}

function undo({ bought, quantity, counts }: { bought: { row: number; left: number }[]; quantity: number; counts: Uint8Array }): void {
  let remaining = quantity;
  while (remaining > 0) {
    const newest = bought.at(-1);
    if (newest === undefined) return;
    if (newest.left > remaining) {
      newest.left -= remaining;
      return;
    }
    remaining -= newest.left;
    counts[newest.row] = 0;
    bought.pop();
  }
}
