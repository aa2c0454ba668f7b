import type { Measurement } from '../../models/contracts/assumption.ts';
import type { Basics } from './plan.ts';
import { type Reason, weigh } from './reason.ts';
import { families, identity, recommender } from './thresholds.ts';

/** `candidate`: goes into the charter. `when-available`: would, if the project had it. `not`: the data do not ask for it. */
export type FamilyVerdict = { family: string; verdict: 'candidate' | 'when-available' | 'not'; says: string; reasons: Reason[] };

type Asked = { measured: Measurement; bound: number; above: string; below: string /** A low value asks for the family. */; wants?: 'below' };
/** Of the ways to a family one is enough; of what a way asks, all must be so. */
type Family = { family: string; is: string; ways: (basics: Basics) => Asked[][] };

const {
  itemUnits,
  minItemSupport,
  minHistory,
  minUsers,
  minSequence,
  minOrdered,
  minSessionContext,
  manyItems,
  maxPairedItems,
  sparseBelow,
  minMetadata,
  minColdItems,
} = families;

const severalOf = ({ severalItems }: Basics): Asked => ({
  measured: severalItems,
  bound: recommender.minSeveralItems,
  above: 'enough users and sessions have several items, which makes items neighbours',
  below: 'hardly anybody has several items, which would make items neighbours',
});
const usersOf = ({ users }: Basics): Asked => ({
  measured: users,
  bound: minUsers,
  above: 'there are enough known users',
  below: 'there are too few known users',
});
const historyOf =
  (bound: number, what: string) =>
  ({ historyMedian }: Basics): Asked => ({
    measured: historyMedian,
    bound,
    above: `half of the known users have a history that is long enough for ${what}`,
    below: `more than half of the known users have a history that is too short for ${what}`,
  });
const categoryOf = ({ category }: Basics): Asked => ({
  measured: category,
  bound: minMetadata,
  above: 'nearly all events are of items whose category is known',
  below: 'too few events are of items whose category is known',
});

const known: readonly Family[] = [
  { family: 'popularity', is: 'what all others are measured against, and what new users get', ways: () => [[]] },
  {
    family: 'item-knn',
    is: 'items that the same people have',
    ways: (basics) => [
      [
        severalOf(basics),
        {
          measured: basics.itemSupport,
          bound: minItemSupport,
          above: `most events are of items that ${itemUnits} users or more have`,
          below: `too few events are of items that ${itemUnits} users or more have`,
        },
      ],
    ],
  },
  { family: 'ials', is: 'factors of users and items', ways: (basics) => [[historyOf(minHistory, 'factors')(basics), usersOf(basics)]] },
  {
    family: 'gf-cf',
    is: 'what the strongest patterns of all histories let through',
    ways: (basics) => [
      [
        historyOf(minHistory, 'patterns')(basics),
        usersOf(basics),
        {
          measured: basics.density,
          bound: sparseBelow,
          above: 'users have so much in common that factors tell as much',
          below: 'users have so little in common that patterns of all of them tell most',
          wants: 'below',
        },
      ],
    ],
  },
  {
    family: 'ease',
    is: 'each item from all others, in closed form',
    ways: (basics) => [
      [
        historyOf(minHistory, 'weights of items')(basics),
        usersOf(basics),
        {
          measured: basics.items,
          bound: maxPairedItems,
          above: 'the catalog is too large for a weight of every pair of items',
          below: 'the catalog is small enough for a weight of every pair of items',
          wants: 'below',
        },
      ],
    ],
  },
  {
    family: 'session-knn',
    is: 'sessions that resemble this one',
    ways: (basics) => [
      [
        {
          measured: basics.sessionContext,
          bound: minSessionContext,
          above: 'enough sessions have two items and more',
          below: 'too few sessions have two items',
        },
        {
          measured: basics.knownHistory,
          bound: identity.longTermFrom,
          above: 'nearly all later visits are by somebody with a history, which tells more',
          below: 'not nearly all later visits are by somebody with a history',
          wants: 'below',
        },
      ],
    ],
  },
  {
    family: 'sasrec',
    is: 'the order of what a user did',
    ways: (basics) => [
      [
        historyOf(minSequence, 'their order to matter')(basics),
        usersOf(basics),
        {
          measured: basics.ordered,
          bound: minOrdered,
          above: 'most events of a user have a time of their own',
          below: 'most events of a user have the time of another: their order is not known',
        },
      ],
    ],
  },
  {
    family: 'two-tower',
    is: 'vectors of users and items from what is known of them',
    ways: (basics) => [
      [
        categoryOf(basics),
        {
          measured: basics.coldItems,
          bound: minColdItems,
          above: 'much happens with items that training has not seen',
          below: 'little happens with items that training has not seen',
        },
      ],
      [
        {
          measured: basics.items,
          bound: manyItems,
          above: 'the catalog is too large for a softmax over all of it',
          below: 'the catalog is small enough for a softmax over all of it',
        },
      ],
    ],
  },
  {
    family: 'ncf',
    is: 'category, brand and price beside the history',
    ways: (basics) => [
      [
        categoryOf(basics),
        {
          measured: basics.price,
          bound: minMetadata,
          above: 'nearly all events are of items whose price is known',
          below: 'too few events are of items whose price is known',
        },
        usersOf(basics),
      ],
    ],
  },
];

/**
 * Which families are worth a tournament on these data, from the plainest on.
 * @param available names of the algorithms that there are
 */
export function recommendFamilies({ basics, available }: { basics: Basics; available: readonly string[] }): FamilyVerdict[] {
  return known.map(({ family, is, ways }) => {
    const tried = ways(basics).map((way) => way.map(({ wants = 'above', ...asked }) => ({ ...weigh(asked), wants, measured: asked.measured })));
    const open = tried.find((way) => way.every(({ isAbove, wants }) => isAbove === (wants === 'above')));
    if (open !== undefined)
      return { family, verdict: available.includes(family) ? 'candidate' : 'when-available', says: is, reasons: open.flatMap(({ reason }) => reason) };
    const against = tried.flatMap((way) => way.filter(({ isAbove, wants }) => isAbove === null || isAbove !== (wants === 'above')));
    const unknown = against.filter(({ isAbove }) => isAbove === null).map(({ measured }) => `${measured.check} is not known: ${measured.why}`);
    return { family, verdict: 'not', says: unknown.join('; ') || is, reasons: against.flatMap(({ reason }) => reason) };
  });
}
