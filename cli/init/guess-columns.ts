import type { ColumnMappingInput } from '../../activities/events/column-mapping.ts';
import type { EventKind } from '../../models/contracts/event.ts';
import type { ColumnProfile, FileProfile } from './profile-file.ts';

/** What a column may be, in the order in which columns are given away. */
export const roles = ['at', 'item', 'user', 'session', 'kind', 'quantity', 'price', 'rating', 'title', 'category', 'brand', 'eventId'] as const;
export type Role = (typeof roles)[number];
export type Columns = { [R in Role]?: string | undefined };

/** Names as they are written in files, without case, spaces, dashes and underscores; the better ones first. */
const names: Record<Role, RegExp[]> = {
  at: [
    /^(event|order|invoice|transaction|purchase|visit|session)?(timestamp|datetime|time|date|at|ts|unixtime)$/,
    /^(created|ordered|purchased|paid|occurred|happened|logged|recorded)(timestamp|datetime|time|date|at|on|ts)?$/,
    // Not when the row was written last, nor something else that has a day.
    /^(?!.*(updat|modif|delet|birth|expir|releas|due)).*(timestamp|datetime|date|time)/,
  ],
  item: [
    /^(item|product|article|sku|stock|asin|movie|track|song|book|video|content|offer|listing)(id|no|number|code|key|sku)?$/,
    /^(iid|parentasin)$/,
    /(item|product|article|sku)/,
  ],
  user: [/^(user|customer|client|visitor|member|account|shopper|buyer|person|reviewer|profile)(id|no|number|key|code)?$/, /^uid$/, /(user|customer|visitor)/],
  session: [/^(session|visit|invoice|order|basket|transaction|receipt|cart)(id|no|number|key|code)?$/],
  kind: [/^(event|action|interaction|behaviou?r|activity)(type|name|kind)?$/, /^(kind|type)$/],
  quantity: [/^(quantity|qty|units|amount|count)$/],
  price: [/^(unit|item|product|sale)?price$/, /price/],
  rating: [/^(rating|stars|overall|score)$/],
  title: [/^(item|product|article)(title|name|description)$/, /^(title|name|description)$/, /(title|description)/],
  category: [/^(item|product|main)?category(name|code|id)?$/, /category/, /^genres?$/],
  brand: [/^(brand|maker|manufacturer)(name|id)?$/],
  eventId: [/^(event|row|line)id$/],
};

const isTime = (column: ColumnProfile): boolean => timeFormat(column) !== undefined;
const isNumber = (column: ColumnProfile): boolean => column.numberShare > 0.95;
const fits: Record<Role, (column: ColumnProfile, rows: number) => boolean> = {
  at: isTime,
  item: (column) => column.distinct > 1,
  user: (column) => column.distinct > 1,
  session: (column) => column.distinct > 1,
  kind: (column) => column.distinct <= 20 && !isNumber(column),
  quantity: isNumber,
  price: isNumber,
  rating: (column) => isNumber(column) && (column.smallestNumber ?? -1) >= 0 && (column.largestNumber ?? 9) <= 5,
  title: (column) => !isNumber(column),
  category: () => true,
  brand: () => true,
  eventId: (column, rows) => column.distinct === rows,
};

/** How a column writes time, or undefined when it does not. */
export function timeFormat(column: ColumnProfile): Pick<ColumnMappingInput, 'atFormat' | 'atPattern'> | undefined {
  const most = 0.95;
  const year = 31_557_600;
  if (column.isoShare >= most) return { atFormat: column.offsetShare >= most ? 'instant' : 'wall' };
  if (column.patternShare >= most && column.pattern !== null) return { atFormat: 'wall', atPattern: column.pattern };
  if (column.numberShare < most || column.smallestNumber === null || column.largestNumber === null) return undefined;
  // Seconds or milliseconds between 1990 and 2100.
  if (column.smallestNumber >= 20 * year && column.largestNumber <= 130 * year) return { atFormat: 'epoch-s' };
  if (column.smallestNumber >= 20_000 * year && column.largestNumber <= 130_000 * year) return { atFormat: 'epoch-ms' };
  return undefined;
}

/**
 * Says which column is what, by names first and values second: a column gets a role only when its values can play it. Where no name tells
 * time, user and item, the first column that reads as time and the first two others in the file's order are taken (user, item).
 */
export function guessColumns({ profile, fixed = {} }: { profile: FileProfile; fixed?: Columns }): Columns {
  const guess: Columns = { ...fixed };
  const free = () => profile.columns.filter((column) => !Object.values(guess).includes(column.name) && column.filledShare > 0);
  for (const role of roles) {
    if (guess[role] !== undefined) continue;
    for (const pattern of names[role]) {
      const found = free().find((column) => pattern.test(plain(column.name)) && fits[role](column, profile.rowsSeen));
      if (found === undefined) continue;
      guess[role] = found.name;
      break;
    }
  }
  guess.at ??= free().find(isTime)?.name;
  const ids = () => free().filter((column) => column.distinct > 1 && !isTime(column));
  if (guess.item === undefined) {
    const [first, second] = ids();
    if (guess.user === undefined && guess.session === undefined && second !== undefined) guess.user = first?.name;
    guess.item = ids()[0]?.name;
  }
  return guess;
}

/** Whether the column's name says the role; else it got it by its place. */
export const isNamed = (role: Role, column: string): boolean => names[role].some((pattern) => pattern.test(plain(column)));

const plain = (column: string): string => column.toLowerCase().replaceAll(/[^a-z0-9]/g, '');

const synonyms: [RegExp, EventKind][] = [
  [/^(add)?(tocart|tobasket|tobag|cart|basket|bag)(add)?$|^atc$/, 'add-to-cart'],
  [/^(purchase|purchased|buy|bought|order|ordered|transaction|sale|sold|paid|checkout)$/, 'purchase'],
  [/^(refund|refunded|returned|return|cancel|cancelled|cancellation)$/, 'return'],
  [/^(view|viewed|pv|pageview|detail|detailview|itemview|productview|viewitem|visit|watch|read|listen|play)$/, 'view'],
  [/^(click|clicked|tap|open)$/, 'click'],
  [/^(impression|shown|exposed|exposure)$/, 'impression'],
  [/^(rate|rated|rating|review)$/, 'rating'],
  [/^(skip|skipped|dismiss)$/, 'skip'],
];

/** The file's words for kinds that are not ours already, and the words that nobody understands. */
export function guessKinds(words: readonly string[]): { kinds: Record<string, EventKind>; unknown: string[] } {
  const kinds: Record<string, EventKind> = {};
  const unknown: string[] = [];
  for (const word of words) {
    const kind = synonyms.find(([pattern]) => pattern.test(plain(word)))?.[1];
    if (kind === undefined) unknown.push(word);
    else if (kind !== word) kinds[word] = kind;
  }
  return { kinds, unknown };
}

/** The kind of every row of a file without a column that says it. */
export function guessConstantKind(columns: Columns, fileName: string): EventKind {
  if (columns.quantity !== undefined || columns.price !== undefined) return 'purchase';
  // `purchases.csv`, `bought_at`, `OrderDate`: the names say it.
  const named = [fileName, columns.at ?? ''].join(' ').match(/(bought|purchas|order|invoice|sale|sold)|(click)/i);
  if (named !== null) return named[1] === undefined ? 'click' : 'purchase';
  return columns.rating === undefined ? 'view' : 'rating';
}
