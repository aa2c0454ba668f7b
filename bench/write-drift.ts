import { wilsonInterval } from '../experiments/binomial.ts';
import { shiftText, shifts } from '../experiments/drift/draw-samples.ts';
import { bitsOf, countOf, type DriftResults } from './drift-results.ts';
import { nulls, poolSize, sizes } from './drift-cells.ts';
import { poolInterval } from './pool-interval.ts';
import { windowShifts } from './drift-retrainings.ts';

type Cell = DriftResults['cells'][string];

/** Share of alarms, in per cent, with its 95 % interval. */
function rate(cell: Cell | undefined, test: string, isPool: boolean): string {
  const digits = cell?.alarms[test];
  if (cell === undefined || digits === undefined) return '';
  const [count, of] = [countOf(digits), cell.replications];
  const [low, high] = isPool && count > 0 && count < of ? poolInterval(bitsOf(digits, of)) : wilsonInterval({ count, of });
  return `${((100 * count) / of).toFixed(1)} (${(low * 100).toFixed(1)} to ${(high * 100).toFixed(1)})`;
}

const share = (cell: Cell | undefined, test: string): string => {
  const digits = cell?.alarms[test];
  return cell === undefined || digits === undefined ? '' : ((100 * countOf(digits)) / cell.replications).toFixed(0);
};

const table = (head: readonly string[], lines: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...lines].map((line) => `| ${line.join(' | ')} |`).join('\n');
const number = (n: number): string => n.toLocaleString('en-US');

/** Tests of this house, by the cell in which nothing moved. */
export const ours = [
  { name: 'energy distance, MMD from 1,000 rows on', of: 'rows', test: 'cloud' },
  { name: 'classifier', of: 'rows', test: 'classifier' },
  { name: 'columns (Kolmogorov, Westfall and Young)', of: 'rows', test: 'columns' },
  { name: 'rates by units', of: 'rates', test: 'rates' },
  { name: 'rates by users who stay for a week', of: 'stays', test: 'users' },
  { name: 'item vectors, trainings with other seeds', of: 'seeds', test: 'displaced' },
  { name: 'neighbours, trainings with other seeds', of: 'seeds', test: 'neighbours' },
  { name: 'item vectors, trainings on other shoppers', of: 'shoppers', test: 'displaced' },
  { name: 'neighbours, trainings on other shoppers', of: 'shoppers', test: 'neighbours' },
] as const;

/** What is often done instead. */
const others = [
  { name: 'a Kolmogorov test of each column at 5 %, any of 8', of: 'rows', test: 'each-column' },
  { name: 'stability index above 0.1, any of 8 columns', of: 'rows', test: 'psi' },
  { name: 'two rates, each event a coin of its own', of: 'rates', test: 'coins' },
  { name: 'rates by days, of users who stay for a week', of: 'stays', test: 'days' },
  { name: 'vectors of two trainings, not aligned', of: 'seeds', test: 'unaligned' },
  { name: 'vectors of two trainings, aligned, disjoint items', of: 'seeds', test: 'halves' },
  { name: 'the same, trainings on other shoppers', of: 'shoppers', test: 'halves' },
  { name: 'displacements, items as independent witnesses', of: 'seeds', test: 'items-as-units' },
] as const;

type Source = 'rows' | 'rates' | 'stays' | 'seeds' | 'shoppers';
/** The cell in which nothing moved. */
export const stillCell = (of: Source, n: number): string =>
  of === 'rows' ? `rows/${n}/none` : of === 'rates' || of === 'stays' ? `${of}/${n}/0` : `retrained/${n}/${of}/none`;
/** Where trainings come from a pool, quadruples overlap. */
const overlaps = (of: Source, n: number): boolean => (of === 'seeds' || of === 'shoppers') && n === 10_000;

/** `docs/drift.md`. */
export function renderDrift({ machine, cells }: DriftResults): string {
  const still = (rows: readonly { name: string; of: Source; test: string }[]) =>
    table(
      ['test', ...sizes.map((n) => `n = ${number(n)}`)],
      rows.map(({ name, of, test }) => [name, ...sizes.map((n) => rate(cells[stillCell(of, n)], test, overlaps(of, n)))]),
    );
  return `# False alarms and power of drift

\`npm run bench -- drift\` writes this page; each replication's alarm is in drift.json. \`npm run bench -- drift --check\` makes the first replications again and says which come out otherwise,
as \`npm test\` does for some. All shares are per cent of replications with an alarm at 5 %; in brackets: intervals of 95 % (Wilson's; where trainings
are drawn from a pool, by leaving out each in turn, which holds in about 9 of 10). No cell is missing. Why it is tested so:
[0010](decisions/0010-the-unit-of-drift-is-what-is-drawn.md). Made on ${machine}.

## Nothing has moved

2,000 replications each. Of rows and rates n is the rows, or units, of a side: rows of four segments in 8 dependent columns, one with a long tail, one of whole numbers with ties
(\`experiments/drift/draw-samples.ts\`); units of very different sizes whose own rates vary by 40 %; users who stay for a week of four and differ more. Of models n is the items: real trainings of a small iALS (8 factors, 4 sweeps), one against
three others. With other seeds, on one fixed window; or each on shoppers of its own as well, drawn from one population. At 10,000 items, quadruples are drawn from ${poolSize} trainings.

${still(ours)}

What is often done instead, on the same:

${still(others)}

Two samples that are the same rows (200 replications of 100 rows, 20 of 10,000): ${sizes.map((n) => `n = ${number(n)}: ${['cloud', 'classifier', 'columns'].map((test) => share(cells[`rows/${n}/identical`], test)).join(', ')}`).join('; ')}.

## Something has moved

${table(
  ['between two samples of rows', 'n', 'energy or MMD', 'classifier', 'columns'],
  shifts
    .filter((shift) => shift !== 'none')
    .flatMap((shift) =>
      sizes.map((n) => [shiftText[shift], number(n), ...['cloud', 'classifier', 'columns'].map((test) => share(cells[`rows/${n}/${shift}`], test))]),
    ),
)}

A rate that is a tenth higher, by units: ${sizes.map((n) => `${share(cells[`rates/${n}/0.1`], 'rates')} of 100 at n = ${number(n)}`).join(', ')}. One that is a fifth higher, by users who stay for a
week: ${sizes.map((n) => `${share(cells[`stays/${n}/0.2`], 'users')} of 100 at n = ${number(n)}`).join(', ')}.

${table(
  ['between windows', 'trainings differ in', 'items', 'item vectors', 'neighbours', 'aligned, disjoint items'],
  windowShifts
    .filter((shift) => shift !== 'none')
    .flatMap((shift) =>
      nulls.flatMap((kind) =>
        sizes.map((n) => [
          shift,
          kind,
          number(n),
          ...['displaced', 'neighbours', 'halves'].map((test) => share(cells[`retrained/${n}/${kind}/${shift}`], test)),
        ]),
      ),
    ),
)}

"Popularity flip": the popular and the rare half of each taste's items have changed places. "Moved items": a tenth of the items is bought by another taste. "Segment gone": the users of
one taste of five are.

## What is assumed

- Rows are of users, each on one side alone, as if drawn independently. What moves all users at once, as a holiday does, is a move.
- That trainings are normal in their mean distance is measured here for one factor model, not proven. With three trainings to compare, two degrees of freedom are left: what moves little is not seen.
- Neighbours are asked of 100 items, of 30 at 10,000, and see less than vectors do: with ten buyers an item, as at 10,000 here, an item's nearest are mostly noise, and hardly any shift is found by them.
- "Other seeds" says that something else than the seed moved a model. Any new window does, the more the larger the catalog; whether it cost anything stands beside what moved.
`;
}
