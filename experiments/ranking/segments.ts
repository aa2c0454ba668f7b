import type { Segmentation } from '../../models/contracts/charter.ts';

/** What the train part says of one user; null where it says nothing. */
export type UserFacts = {
  events: number;
  daysSinceFirst: number | null;
  daysSinceLast: number | null;
  /** That of most of the user's events. */
  category: string | null;
};

export type Segment = { by: Segmentation['by']; value: string };

/** `ofUser`: [users] the segments that hold the user, by their place in `segments`; at most one of each segmentation. */
export type Segmented = { segments: Segment[]; ofUser: Uint16Array[] };

/** What is the same for a whole segmentation: its segments in the order they are shown, and which of them a user belongs to (-1: none). */
type Cut = { values: string[]; placeOf: (user: UserFacts) => number };

/** Puts each user into the segments that the charter declares. A user of whom the fact is not known is in no segment of it. */
export function segmentUsers({ segmentations, users }: { segmentations: readonly Segmentation[]; users: readonly UserFacts[] }): Segmented {
  const segments: Segment[] = [];
  const cuts = segmentations.map((segmentation) => {
    const cut = segmentation.by === 'category' ? cutByCategory(users, segmentation.atMost) : cutByBounds(segmentation);
    const from = segments.length;
    segments.push(...cut.values.map((value) => ({ by: segmentation.by, value })));
    return { ...cut, from };
  });
  const ofUser = users.map((user) =>
    Uint16Array.from(
      cuts.flatMap(({ from, placeOf }) => {
        const place = placeOf(user);
        return place < 0 ? [] : [from + place];
      }),
    ),
  );
  return { segments, ofUser };
}

type ByBounds = Exclude<Segmentation, { by: 'category' }>;

const factOf: Record<ByBounds['by'], (user: UserFacts) => number | null> = {
  events: ({ events }) => events,
  'days-since-first': ({ daysSinceFirst }) => daysSinceFirst,
  'days-since-last': ({ daysSinceLast }) => daysSinceLast,
};

/** A bound begins the next segment: [5, 20] makes under 5, 5 to under 20, 20 and more. */
function cutByBounds({ by, bounds }: ByBounds): Cut {
  const middle = bounds.slice(1).map((bound, index) => `${bounds[index]} to under ${bound}`);
  return {
    values: [`under ${bounds[0]}`, ...middle, `${bounds.at(-1)} and more`],
    placeOf: (user) => {
      const fact = factOf[by](user);
      return fact === null ? -1 : bounds.filter((bound) => fact >= bound).length;
    },
  };
}

/** The categories of most users, ties in the order of their names, and one segment for all the others. */
function cutByCategory(users: readonly UserFacts[], atMost: number): Cut {
  const times = new Map<string, number>();
  for (const { category } of users) if (category !== null) times.set(category, (times.get(category) ?? 0) + 1);
  const named = [...times].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([category]) => category);
  const shown = named.slice(0, atMost);
  const places = new Map(shown.map((category, place) => [category, place]));
  return {
    values: named.length > atMost ? [...shown, `${named.length - atMost} others`] : shown,
    placeOf: ({ category }) => (category === null ? -1 : (places.get(category) ?? shown.length)),
  };
}
