/*
 * Where the recommendations of `frame` tip, in one place. None of these is a law: each says what it is for, and the recommendation prints how far the
 * data are from it. A rule of thumb that others have written down names them; the others are this project's own.
 */
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** The newest days of the data that are looked at: a year holds every season once. */
export const measuredDaysAtMost = 365;

/** Below any of the first three, or above the last, a list of the most popular items does what a recommender could. */
export const recommender = {
  /** Slates of the usual ten that the catalog fills: with fewer, a visitor sees a fifth of all there is at once. */
  slateSize: 10,
  minSlates: 5,
  /** Events that say that somebody wanted something. With fewer, no share below is known within some percent. */
  minEvents: 1_000,
  /** Share of users and sessions with two different items or more: what others did tells something only through them. */
  minSeveralItems: 0.1,
  /** Share of later wants that a slate of the most popular items holds already: what is left is the most that personalization could win. */
  maxPopularSlate: 0.9,
} as const;

/** What an experiment must be able to see, at which error rates: those of the rule of thumb of 16 variances (van Belle, "Statistical rules of thumb", 2008, ch. 2). */
export const sensitivity = { change: 0.05, alpha: 0.05, power: 0.8 } as const;
/** A metric that takes longer than four weeks to show that change is no reward to steer by: seasons and releases come in between. */
export const maxDaysForChange = 28;
/** Days over which metrics and traffic are measured: four whole weeks. */
export const metricDays = 28;

export const attribution = {
  /** An answer that comes later than this after the item was last seen is hardly an answer to the slate. */
  horizonMs: 7 * dayMs,
  /** The window holds so many of the answers within the horizon: what it leaves out is lost to the reward, what it holds beyond makes every canary wait. */
  quantile: 0.9,
  /** Fewer answers than these give no quantile. */
  minAnswers: 100,
  /** The windows there are to choose from; the smallest that is long enough. */
  windowsMs: [60_000, 5 * 60_000, 15 * 60_000, hourMs, 4 * hourMs, dayMs, 2 * dayMs, 3 * dayMs, 7 * dayMs],
  /** A window so many times as long as the recommended one is too long. */
  tooLong: 10,
  /** Where nothing was measured. */
  unknownMs: dayMs,
} as const;

export const identity = {
  /** Events of one user before the split from which a long-term model has something to go by. Data sets are commonly cut to five (Sun et al., "Are we
   * evaluating rigorously?", RecSys 2020). */
  historyEvents: 5,
  /** Share of later visits by somebody with such a history. Below the first a long-term model would serve next to nobody, above the second a session
   * model would. */
  sessionBelow: 0.1,
  longTermFrom: 0.9,
  /** Share of users who come again within four weeks. With fewer, what is known of a user is hardly used. */
  minReturning: 0.1,
  returningDays: 28,
} as const;

export const families = {
  /** Neighbours of an item are told by those who have it: five of them at least, for most of the events. */
  itemUnits: 5,
  minItemSupport: 0.5,
  /** Median events of a known user, and users: factors of people of whom nothing is known are noise. */
  minHistory: 5,
  minUsers: 500,
  /** Median events of a known user from which order has room to matter; self-attention gains most on long histories (Kang and McAuley, "Self-attentive
   * sequential recommendation", ICDM 2018). */
  minSequence: 10,
  /** Share of a user's events that came after the one before: of what is mostly bought at one time, the order is that of the file. */
  minOrdered: 0.5,
  /** Share of visits with two different items or more: a session that has one says what it is about, and not where it goes. */
  minSessionContext: 0.2,
  /** Items from which a softmax over all of them is too dear. */
  manyItems: 100_000,
  /** So many items have a weight of every pair in 1.6 GB. */
  maxPairedItems: 20_000,
  /** Share of all pairs of user and item that have an event: below it (0.07 % where it was measured) a graph filter ranked better than factors. */
  sparseBelow: 0.002,
  /** Share of events whose item has a category from which metadata can stand in for a past, and share of events of items without one. */
  minMetadata: 0.8,
  minColdItems: 0.1,
} as const;

/** Share of what known customers buy that they had bought before. Below it, showing bought items again wastes places. */
export const minRepeats = 0.05;
/** From here the report's cold slices are as important as the whole. */
export const manyCold = 0.3;
/** Users with something to be measured on, in the test part: as `gates.minUsers` by itself. */
export const minTestUsers = 100;
/** The gap is as long as so many of the events take to come in. */
export const arrivalQuantile = 0.99;
