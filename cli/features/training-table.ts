import { resolve } from 'node:path';
import { Command } from 'commander';
import { openState } from '../../activities/context.ts';
import { text } from '../../activities/events/duckdb.ts';
import { featureColumn } from '../../activities/features/compile-view.ts';
import { findLeaks, leakKinds } from '../../activities/features/find-leaks.ts';
import { joinPointInTime } from '../../activities/features/join-point-in-time.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { machine, someText, surface as surfaceArgument } from '../option-values.ts';
import { emit, table } from '../output.ts';
import { currentData } from './current-data.ts';
import { withLabels } from './labels-file.ts';
import { surfaceViews } from './surface-views.ts';

type Options = { table: string; entity: string; asOf: string; view?: string; config?: string; state?: string; json?: boolean };

function part(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .argument('<surface>', 'name of the surface', surfaceArgument)
    .requiredOption('--table <file>', 'CSV (plain or .gz) or Parquet', someText)
    .requiredOption('--entity <column>', 'whose features: the column of user, item or session ids', someText)
    .requiredOption('--as-of <column>', 'the moment before which they must have been known: a timestamp or epoch milliseconds', someText)
    .option('--config <file>', "the surface's understudy.config.ts: its `features` are registered first", someText)
    .option('--view <name>', 'only this one', machine)
    .option('--state <dir>', 'state directory', someText)
    .option('--json', 'one JSON document on stdout');
}

async function open(context: CommandContext, surface: string, options: Options) {
  const state = openState(stateDirectory(context, options.state));
  const views = await surfaceViews({ state, surface, cwd: context.cwd, config: options.config, view: options.view });
  const path = resolve(context.cwd, options.table);
  return { views, labels: { state, data: await currentData(state, surface), path, entity: options.entity, asOf: options.asOf } };
}

export function joinCommand(context: CommandContext): Command {
  return part('join', 'a table of labels with the features of each row as they were known strictly before its moment')
    .requiredOption('--out <file>', 'Parquet, or CSV where it ends so', someText)
    .action(async (surface: string, options: Options & { out: string }) => {
      const { views, labels } = await open(context, surface, options);
      const out = resolve(context.cwd, options.out);
      const answer = await withLabels(labels, async ({ duck, labels: brought }) => {
        let relation = brought.relation;
        for (const [index, view] of views.entries()) {
          await joinPointInTime({ duck, view, labels: { ...brought, relation }, into: `joined_${index}` });
          relation = `joined_${index}`;
        }
        await duck.run(`COPY ${relation} TO ${text(out)} ${/\.csv(\.gz)?$/i.test(out) ? '(FORMAT csv, HEADER)' : '(FORMAT parquet, COMPRESSION zstd)'}`);
        const [row] = await duck.rows<{ rows: number }>(`SELECT count(*)::INTEGER AS rows FROM ${relation}`);
        return { rows: row?.rows ?? 0 };
      });
      const columns = views.flatMap((view) => view.features.map((feature) => featureColumn(view, feature.name)));
      emit({ json: options.json === true, document: { surface, out, columns, ...answer }, text: `${answer.rows} rows with ${columns.join(', ')} in ${out}` });
    });
}

export function leaksCommand(context: CommandContext): Command {
  return part('leaks', 'which feature columns of a training table (named view__feature) cannot have been known')
    .addHelpText('after', '\nExit code 0 when every value was known, 6 otherwise.')
    .action(async (surface: string, options: Options) => {
      const { views, labels } = await open(context, surface, options);
      const findings = await withLabels(labels, async ({ duck, labels: brought, columns }) => {
        const all = [];
        for (const view of views) {
          const claimed = view.features.filter((feature) => columns.includes(featureColumn(view, feature.name)));
          if (claimed.length === 0) continue;
          const named = Object.fromEntries(claimed.map((feature) => [featureColumn(view, feature.name), feature.name]));
          all.push(...(await findLeaks({ duck, view, labels: brought, columns: named })));
        }
        return all;
      });
      if (findings.length === 0)
        throw new UnderstudyError('UND-INPUT', `${options.table} has no column of a feature of ${views.map(({ name }) => name).join(', ')}`);
      const known = findings.every((finding) => finding.verdict === 'known');
      emit({
        json: options.json === true,
        document: { surface, known, findings },
        text: table(
          ['column', 'verdict', 'rows', 'known', ...leakKinds, 'unexplained'],
          findings.map((one) => [
            ...[one.column, one.verdict === 'leaks' ? 'LEAKS' : one.verdict, String(one.rows), String(one.known)],
            ...leakKinds.map((kind) => String(one.leaks[kind])),
            String(one.unexplained),
          ]),
        ),
      });
      if (!known) process.exitCode = 6;
    });
}
