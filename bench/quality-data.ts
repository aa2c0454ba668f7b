import { join } from 'node:path';
import { text, withDuck } from '../activities/events/duckdb.ts';
import type { EvaluateInput } from '../cli/evaluate/evaluate.ts';
import { type InteractionRows, readInteractions } from '../cli/evaluate/read-interactions.ts';
import { leaveOneOut, splitRows } from '../cli/evaluate/split-rows.ts';
import { drawPurchases } from '../experiments/ranking/testing-purchases.ts';

/** Data that the project comes with, and how they are held out. */
export type QualityData = {
  what: string;
  protocol: string;
  /** Algorithm → why it is not measured on these. */
  leftOut?: Readonly<Record<string, string>>;
  load(): Promise<Pick<EvaluateInput, 'train' | 'validation' | 'test' | 'asks'>>;
};

const examples = join(import.meta.dirname, '../examples');

export const qualityData: Readonly<Record<string, QualityData>> = {
  'online-retail': {
    what: 'purchases of known customers of a British shop for gifts, December 2010 to December 2011',
    protocol: 'the last 14 days are the test, the day before them is left out; items a customer has are neither wanted nor recommended',
    leftOut: { sasrec: 'it trains for more than ten minutes, and nearly all items of an order have one time' },
    async load() {
      const [split] = splitRows(await onlineRetail(), { origins: 1, testDays: 14, gapDays: 1 });
      if (split === undefined) throw new Error('There is no split');
      return { train: split.train, test: split.test, asks: 'rest' };
    },
  },
  sessions: {
    what: 'clicks in the sessions of an online shop, June 2020',
    protocol: 'after each click of a test session: the next one, over the full catalog',
    leftOut: { ease: 'its time grows with the cube of the items' },
    async load() {
      const read = (name: string) => readInteractions(join(examples, 'sessions/data', `${name}.txt.gz`), { options: { user: 'SessionId' } });
      return { train: await read('train'), test: await read('test'), asks: 'next-item' };
    },
  },
  drawn: {
    what: 'purchases drawn from a shop of 8 tastes, 5,000 customers, 1,000 items (seed 1)',
    protocol: "each customer's last purchase is the test, the one before it in the history alone",
    async load() {
      const settings = { users: 5_000, items: 1_000, tastes: 8, faith: 0.7, perUser: 15, days: 60, zipf: 0.7, fresh: 0.3, seed: 1 };
      const purchases = drawPurchases(settings);
      const rows: InteractionRows = {
        userIds: Array.from({ length: settings.users }, (_, user) => `u${user}`),
        itemIds: Array.from({ length: settings.items }, (_, item) => `i${item}`),
        users: Uint32Array.from(purchases, ({ user }) => user),
        items: Uint32Array.from(purchases, ({ item }) => item),
        atMs: Float64Array.from(purchases, ({ day }) => Math.floor(day * 86_400_000)),
      };
      return { ...leaveOneOut(rows, { validation: true }), asks: 'rest' };
    },
  },
};

/** Sales of known customers; codes without a digit (postage, manual entries) are no products. */
async function onlineRetail(): Promise<InteractionRows> {
  const file = text(join(examples, 'online-retail/data/online-retail.csv.gz'));
  const [users, items, atMs] = await withDuck({ workDir: undefined }, (duck) =>
    duck.columns(`SELECT CustomerID, upper(trim(StockCode)), CAST(epoch_ms(CAST(InvoiceDate AS TIMESTAMP)) AS DOUBLE)
      FROM read_csv(${file}, all_varchar = true)
      WHERE trim(CustomerID) <> '' AND NOT starts_with(InvoiceNo, 'C') AND TRY_CAST(Quantity AS INTEGER) > 0 AND TRY_CAST(UnitPrice AS DOUBLE) > 0
        AND regexp_matches(StockCode, '^[0-9]')`),
  );
  const numbered = (column: readonly unknown[] | undefined) => {
    const numbers = new Map<string, number>();
    const of = Uint32Array.from(column ?? [], (id) => {
      const number = numbers.get(id as string) ?? numbers.size;
      numbers.set(id as string, number);
      return number;
    });
    return { of, ids: [...numbers.keys()] };
  };
  const [user, item] = [numbered(users), numbered(items)];
  return { userIds: user.ids, itemIds: item.ids, users: user.of, items: item.of, atMs: Float64Array.from(atMs as number[]) };
}
