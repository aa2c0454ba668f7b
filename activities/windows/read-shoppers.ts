import type { ConsentPurpose } from '../../models/contracts/change-event.ts';
import type { EventKind } from '../../models/contracts/event.ts';
import { eventKinds } from '../../models/contracts/event.ts';
import { identityAsOf } from './identity.ts';
import { type EventTable, readEvents, tellingKinds } from './read-events.ts';
import { itemsByUnit } from './read-test.ts';
import type { WindowInput } from './read-window.ts';
import { rowsAfterReturns } from './undo-returns.ts';

export type HistoryEntry = { itemId: string; kind: EventKind; weight: number; atMs: number };

/**
 * What each known user did, oldest first, at most the last `maxItems` events: profiles for the serving tier. `through: 'train'`
 * (the default) stops before the gap, so that nothing of the test part shows; `'test'` reads both parts.
 */
export async function readHistories({
  maxItems,
  through = 'train',
  purpose,
  ...input
}: WindowInput & { maxItems: number; through?: 'train' | 'test'; purpose?: ConsentPurpose }): Promise<Map<string, HistoryEntry[]>> {
  const { window, blobs, charter, workDir, signal } = input;
  const { trainSlices, testSlices } = window;
  const parts = through === 'train' ? { slices: trainSlices, besides: testSlices } : { slices: [...trainSlices, ...testSlices] };
  const identity = identityAsOf(through, { window, charter });
  const events = await readEvents({ ...parts, blobs, kinds: tellingKinds(charter.confidence), identity, purpose, workDir, signal });
  const histories = new Map<string, HistoryEntry[]>();
  const counts = rowsAfterReturns(events);
  for (let row = 0; row < events.rows; row += 1) {
    const unit = events.units[events.unit[row] ?? 0] ?? '';
    if (counts[row] !== 1 || !unit.startsWith('u:')) continue;
    const userId = unit.slice(2);
    const history = histories.get(userId) ?? [];
    history.push(entryOf({ events, row, confidence: charter.confidence }));
    histories.set(userId, history);
  }
  for (const [userId, history] of histories) if (history.length > maxItems) histories.set(userId, history.slice(-maxItems));
  return histories;
}

function entryOf({ events, row, confidence }: { events: EventTable; row: number; confidence: WindowInput['charter']['confidence'] }): HistoryEntry {
  const kind = eventKinds[events.kind[row] ?? 0] ?? 'view';
  return { itemId: events.items[events.item[row] ?? 0] ?? '', kind, weight: confidence[kind] ?? 0, atMs: events.atMs[row] ?? 0 };
}

export type Shopper = { customerId: string; history: string[]; wants: { itemId: string; repeat: boolean }[] };

/**
 * Customers of the test part for the simulator: what they had bought in the train part (oldest first, repeated purchases repeated; empty
 * for a new customer) and what they went on to buy, which is what they want. Under `exclude-purchased` nobody wants a thing twice.
 * Sorted by customer; wants sorted by item.
 */
export async function readShoppers(input: WindowInput): Promise<Shopper[]> {
  const { window, blobs, charter, workDir, signal } = input;
  const kinds: EventKind[] = ['purchase', 'return'];
  const bought = await readHistories({ ...input, charter: { ...charter, confidence: { purchase: 1 } }, maxItems: Number.MAX_SAFE_INTEGER });
  const identity = identityAsOf('test', { window, charter });
  const later = itemsByUnit(await readEvents({ slices: window.testSlices, blobs, kinds, identity, workDir, signal }));
  const shoppers: Shopper[] = [];
  for (const [unit, items] of later) {
    if (!unit.startsWith('u:')) continue;
    const customerId = unit.slice(2);
    const history = (bought.get(customerId) ?? []).map(({ itemId }) => itemId);
    const known = new Set(history);
    const wants = [...items]
      .sort()
      .map((itemId) => ({ itemId, repeat: known.has(itemId) }))
      .filter((want) => charter.repeatPolicy === 'allow' || !want.repeat);
    if (wants.length > 0) shoppers.push({ customerId, history, wants });
  }
  return shoppers;
}
