import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { type Attribution, attributeChange, type Suspect } from '../../experiments/attribution/attribute-change.ts';
import type { CommandContext } from '../environment.ts';
import { someText, wholeNumber } from '../option-values.ts';
import { emit, progress, say, table } from '../output.ts';
import { readTable, type TableColumns } from './read-table.ts';

type Options = TableColumns & { table: string; atMost: number; json?: boolean };

const helpText = `
The table
  One row for each combination of attributes there is: what was, and what was expected (a forecast, or the same day last week). Rows with the
  same attributes are summed; an empty figure counts as 0; a row without a value in a dimension has the value "none" there.
  Sums      actual, predicted                                          or the columns that --actual and --predicted name
  Ratios    actual_numerator, actual_denominator,                      or --actual and --predicted for the numerators, with
            predicted_numerator, predicted_denominator                 --actual-denominator and --predicted-denominator
  All other columns are dimensions, unless --dimensions names them.

The answer, best first
  where       attributes that all leaves of the cause have in common, as few as say it; {} is everything
  change      what of the whole's change would not be, had its leaves come out as predicted
  explained   the same as a share of the change; below 0 it went the other way
  score       0 to 1: share of the leaves' squared deviations, beyond noise, that is gone once this cause is taken into account
  effect      of ratios: rate, or volume, where rates are as predicted and only the leaves' share in the whole is not
No suspect where no part is off by more than chance: in 99 of 100 tables that hold only noise. It takes leaves that err each for itself.

Examples
  understudy attribute --table reward-by-segment.parquet --json
  understudy attribute --table orders.csv --actual orders --predicted forecast --dimensions country,client,category
  understudy attribute --table clicks.csv --actual clicks --actual-denominator views --predicted clicks_before --predicted-denominator views_before`;

/** `understudy attribute`: the smallest combinations of attributes that explain why a sum or a ratio changed. Needs no server. */
export function attributeCommand(context: CommandContext): Command {
  return new Command('attribute')
    .description('Root cause of a change: the smallest combinations of attributes that explain why a sum or a ratio is not as predicted.')
    .requiredOption('--table <file>', 'CSV (plain or .gz, with a header) or Parquet: dimensions, what was, and what was predicted', someText)
    .option('--dimensions <names>', 'columns, with commas between them (default: all that are no measures)', names)
    .option('--actual <column>', 'what was, or its numerator (default: actual)', someText)
    .option('--predicted <column>', 'what was expected, or its numerator (default: predicted)', someText)
    .option('--actual-denominator <column>', 'for a ratio: denominator of what was', someText)
    .option('--predicted-denominator <column>', 'for a ratio: denominator of what was expected', someText)
    .option('--at-most <n>', 'suspects to name', wholeNumber, 10)
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', helpText)
    .action(async (options: Options) => {
      const step = progress('reading the table', { announce: false });
      const { table: leaves, rows, missing } = await readTable(resolve(context.cwd, options.table), options);
      step.done(`${rows} rows, dimensions ${leaves.dimensions.map(({ name }) => name).join(', ')}`);
      if (missing > 0) say(`${missing} figures are missing and count as 0`);
      const attribution = attributeChange(leaves, { atMost: options.atMost });
      emit({ json: options.json === true, document: attribution, text: describe(attribution) });
    });
}

function names(text: string): string[] {
  const all = text.split(',').map((name) => name.trim());
  if (all.some((name) => name === '')) throw new InvalidArgumentError('It must be names of columns with commas between them.');
  return all;
}

function describe(attribution: Attribution): string {
  const { measure, leaves, actual, predicted, change, noise, suspects, note } = attribution;
  const noisy = `${figure(change)} (noise alone: ±${figure(noise)})`;
  const whole = `${measure} over ${leaves} leaves: ${figure(actual)}, predicted ${figure(predicted)}, change ${noisy}`;
  if (suspects.length === 0) return `${whole}\n\nNo suspect. ${note}.`;
  const head = ['where', 'actual', 'predicted', 'change', 'explained', 'score', ...(measure === 'ratio' ? ['effect'] : [])];
  return `${whole}\n\n${table(head, suspects.map(lineOf))}\n\n${sentence(suspects[0] as Suspect)} ${note}.`;
}

function lineOf({ where, actual, predicted, change, explained, score, effect }: Suspect): string[] {
  return [placeOf(where), figure(actual), figure(predicted), figure(change), share(explained), score.toFixed(3), ...(effect === undefined ? [] : [effect])];
}

function sentence({ where, actual, predicted, explained }: Suspect): string {
  const place = Object.keys(where).length === 0 ? 'Everything' : placeOf(where);
  return `${place} is ${figure(actual)} where ${figure(predicted)} was predicted: ${share(explained)} of the change.`;
}

function placeOf(where: Suspect['where']): string {
  const parts = Object.entries(where).map(([name, value]) => `${name}=${value ?? 'none'}`);
  return parts.length === 0 ? 'everything' : parts.join(', ');
}

const figure = (value: number | null): string => (value === null ? 'none' : Number.isInteger(value) ? String(value) : value.toPrecision(6));
const share = (value: number | null): string => (value === null ? 'n/a' : `${(value * 100).toFixed(1)} %`);
