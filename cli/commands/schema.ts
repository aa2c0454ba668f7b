import { Command } from 'commander';
import { jsonSchemaOf, publishedSchemas } from '../../models/contracts/event-schemas.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { wholeNumber } from '../option-values.ts';
import { emit, table } from '../output.ts';

export function schemaCommand(): Command {
  return new Command('schema')
    .description('what an event may be: every version of every kind, as JSON Schema')
    .argument('[name]', 'print the schema of this kind; without it, list them all')
    .option('--version <n>', 'not the newest one', wholeNumber)
    .option('--json', 'one JSON document on stdout (a schema is one anyway)')
    .action((name: string | undefined, options: { version?: number; json?: boolean }) => {
      if (name === undefined) return list(options.json === true);
      const versions = publishedSchemas.filter((one) => one.name === name).map(({ version }) => version);
      const version = options.version ?? versions.at(-1) ?? 1;
      const schema = jsonSchemaOf({ name, version });
      if (schema === undefined) {
        const there = versions.length === 0 ? [...new Set(publishedSchemas.map((one) => one.name))] : versions.map((one) => `${name} --version ${one}`);
        throw new UnderstudyError(
          'UND-NOT-FOUND',
          `There is no schema ${name}${options.version === undefined ? '' : ` of version ${version}`}; there is ${there.join(', ')}`,
        );
      }
      emit({ json: true, document: schema, text: '' });
    });
}

function list(json: boolean): void {
  const kinds = [...new Set(publishedSchemas.map(({ name }) => name))].map((name) => {
    const own = publishedSchemas.filter((one) => one.name === name);
    return { name, versions: own.map(({ version }) => version), title: own[0]?.title ?? '' };
  });
  emit({
    json,
    document: { schemas: kinds },
    text: table(
      ['kind', 'versions', 'what'],
      kinds.map(({ name, versions, title }) => [name, versions.join(', '), title]),
    ),
  });
}
