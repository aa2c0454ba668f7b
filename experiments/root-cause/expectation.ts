/** What a figure is in the units of the incident, what it was to be expected to be, and how far apart the two lie. */
export type Comparison = {
  value: number;
  expected: number;
  /** value / expected */
  ratio: number;
  /** As many standard deviations as a normal figure would lie off that is as unlikely; above 0 where the value is higher. */
  deviations: number;
};

export type Unit = { now: boolean; weekday: number };
type Series = { units: readonly Unit[]; numerator: ArrayLike<number> /** Absent: a count by itself. */; denominator?: ArrayLike<number> | undefined };

/** Fewer units tell nothing of how one differs from the next. */
export const leastUnits = 7;
/** Units by which the weight of an older one halves. */
const halfLife = 14;
/** Errors remember one another: so much of a degree of freedom is each. */
const ownFreedom = 0.75;
/** Nothing is known better than this. */
const leastDeviation = 0.01;

/**
 * Holds the units of the incident against those before them, in logarithms: level (exponentially weighted, of what came before) and weekday. The same is forecast for each
 * earlier unit, its own weekday's level without it, and the errors are the scale: so memory, overdispersion and what the forecast does not know are all in the scale, and nothing
 * of it is assumed. On top comes what counting adds, where fewer were counted than then. Student's t is made normal after Wallace 1959, eq. 4.1.
 * @returns undefined where fewer than `leastUnits` can be compared, or nothing was counted now and never
 */
export function compare({ units, numerator, denominator }: Series): Comparison | undefined {
  const of = (unit: number): number => denominator?.[unit] ?? 1;
  const before = units.flatMap((one, unit) => (!one.now && of(unit) > 0 ? [unit] : []));
  const now = units.flatMap((one, unit) => (one.now && of(unit) > 0 ? [unit] : []));
  if (before.length < leastUnits || now.length === 0) return undefined;
  const past: Past = {
    values: before.map((unit) => Math.log(((numerator[unit] as number) + 0.5) / of(unit))),
    weekdays: before.map((unit) => (units[unit] as Unit).weekday),
  };
  const own = before.map((_, at) => at).slice(Math.ceil(leastUnits / 2));
  const scale = scaleOf(
    own.map((at) => ((past.values[at] as number) - forecastOf(past, { weekday: past.weekdays[at] as number, until: at, without: at })) ** 2),
  );
  const counted = mean(own.map((at) => 1 / ((numerator[before[at] as number] as number) + 0.5)));
  const sum = (series: (unit: number) => number) => now.reduce((total, unit) => total + series(unit), 0);
  const [many, whole] = [sum((unit) => numerator[unit] as number), sum(of)];
  const expected = sum((unit) => Math.exp(forecastOf(past, { weekday: (units[unit] as Unit).weekday, until: before.length })) * of(unit)) / whole;
  const variance = Math.max(scale ** 2, leastDeviation ** 2) + Math.max(0, 1 / (Math.max(many, expected * whole) + 0.5) - counted);
  const off = Math.log((many + 0.5) / (expected * whole + 0.5)) / Math.sqrt(variance);
  const value = many / whole;
  return { value, expected, ratio: expected === 0 ? Number.POSITIVE_INFINITY : value / expected, deviations: asNormal(off, own.length * ownFreedom) };
}

type Past = { values: readonly number[]; weekdays: readonly number[] };

/**
 * From the units before `until`, in which a weekday's level is that of all of its units but `without`, drawn towards the level of all by as much as weekdays differ less
 * between them than the units of one do (James and Stein 1961, as an analysis of variance).
 */
function forecastOf({ values, weekdays }: Past, { weekday, until, without }: { weekday: number; until: number; without?: number }): number {
  const days = Map.groupBy(
    values.flatMap((value, at) => (at === without ? [] : [{ value, day: weekdays[at] as number }])),
    ({ day }) => day,
  );
  const groups = new Map([...days].map(([day, own]) => [day, { level: mean(own.map(({ value }) => value)), own: own.map(({ value }) => value) }]));
  const count = values.length - (without === undefined ? 0 : 1);
  const level = mean([...groups.values()].flatMap(({ own }) => own));
  const sum = (of: (group: { level: number; own: number[] }) => number) => [...groups.values()].reduce((total, group) => total + of(group), 0);
  const within =
    count > groups.size
      ? sum((group) => group.own.reduce((total, value) => total + (value - group.level) ** 2, 0)) / (count - groups.size)
      : Number.POSITIVE_INFINITY;
  const between = groups.size > 1 ? sum((group) => group.own.length * (group.level - level) ** 2) / (groups.size - 1) : 0;
  const variance = Math.max(0, ((between - within) * groups.size) / count);
  const shiftOf = (day: number): number => {
    const group = groups.get(day);
    if (group === undefined || variance === 0) return 0;
    return ((group.level - level) * variance) / (variance + within / group.own.length);
  };
  let [whole, weights] = [0, 0];
  for (let at = 0; at < until; at += 1) {
    const weight = 0.5 ** ((until - 1 - at) / halfLife);
    whole += weight * ((values[at] as number) - shiftOf(weekdays[at] as number));
    weights += weight;
  }
  return whole / weights + shiftOf(weekday);
}

/** Between the median of the errors, which a single bad day does not move, and their mean, which knows heavy tails. */
function scaleOf(squares: readonly number[]): number {
  const sorted = squares.toSorted((a, b) => a - b);
  const median = Math.sqrt(sorted[sorted.length >> 1] as number) / 0.6745;
  const trimmed = Math.sqrt(mean(sorted.slice(0, Math.max(1, Math.ceil(sorted.length * 0.95)))));
  return Math.max(median * 0.9, trimmed);
}

function asNormal(off: number, freedom: number): number {
  const own = Math.max(2, freedom);
  return (Math.sign(off) * (8 * own + 1) * Math.sqrt(own * Math.log1p(off ** 2 / own))) / (8 * own + 3);
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
