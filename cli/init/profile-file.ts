import { type Duck, name, text, withDuck } from '../../activities/events/duckdb.ts';
import { columnMapping, type ColumnMappingInput } from '../../activities/events/column-mapping.ts';
import { inspectSource, loadRaw, readSql, type SourceFile } from '../../activities/events/source-file.ts';

/** What the first rows say of a column. Shares are of the cells that are not empty. */
export type ColumnProfile = {
  name: string;
  filledShare: number;
  /** Different values among the rows looked at. */
  distinct: number;
  /** Up to 20, most frequent first. */
  values: string[];
  numberShare: number;
  smallestNumber: number | null;
  largestNumber: number | null;
  /** Date and time as ISO writes it; `offsetShare`: with an offset or Z. */
  isoShare: number;
  offsetShare: number;
  /** Of the patterns in `wallPatterns`, the one that reads the most, and how much. */
  pattern: string | null;
  patternShare: number;
};

export type FileProfile = { rowsSeen: number; columns: ColumnProfile[] };

/** Ways to write a date that ISO does not know; where two fit alike, the first is taken. */
export const wallPatterns = [
  '%d/%m/%Y %H:%M',
  '%m/%d/%Y %H:%M',
  '%d/%m/%Y %H:%M:%S',
  '%m/%d/%Y %H:%M:%S',
  '%d/%m/%Y',
  '%m/%d/%Y',
  '%d.%m.%Y %H:%M',
  '%d.%m.%Y %H:%M:%S',
  '%d.%m.%Y',
  '%Y%m%d',
  '%Y/%m/%d %H:%M',
  '%Y/%m/%d %H:%M:%S',
];

const rowsLookedAt = 20_000;

/** Looks at the first rows of a file, of a folder's, or of those that a glob matches. @throws UND-FILE. */
export async function profileFile({ path, workDir }: { path: string; workDir: string }): Promise<{ source: SourceFile; profile: FileProfile }> {
  const source = await inspectSource({ path });
  return withDuck({ workDir }, async (duck) => {
    const columns = await loadRaw({ duck, source, requires: [], limit: rowsLookedAt });
    const [count] = await duck.rows<{ rows: number }>('SELECT count(*)::DOUBLE AS rows FROM raw');
    const profiles: ColumnProfile[] = [];
    for (const column of columns) profiles.push(await profileColumn(duck, column));
    return { source: { ...source, columns }, profile: { rowsSeen: count?.rows ?? 0, columns: profiles } };
  });
}

async function profileColumn(duck: Duck, column: string): Promise<ColumnProfile> {
  const cell = `nullif(trim(${name(column)}), '')`;
  const share = (condition: string) => `coalesce((count(*) FILTER (${condition}) / nullif(count(${cell}), 0))::DOUBLE, 0)`;
  const number = `TRY_CAST(${cell} AS DOUBLE)`;
  const patterns = wallPatterns.map((pattern, index) => `${share(`try_strptime(${cell}, ${text(pattern)}) IS NOT NULL`)} AS pattern_${index}`);
  const [row] = await duck.rows<Record<string, number | null>>(`
    SELECT count(${cell}) / greatest(count(*), 1) AS filled, count(DISTINCT ${cell})::DOUBLE AS different, ${share(`isfinite(${number})`)} AS numbers,
      min(${number}) FILTER (isfinite(${number})) AS smallest, max(${number}) FILTER (isfinite(${number})) AS largest,
      ${share(`TRY_CAST(${cell} AS TIMESTAMP) IS NOT NULL AND ${number} IS NULL`)} AS iso, ${share(`regexp_matches(${cell}, '[0-9](Z|[+-][0-9]{2}(:?[0-9]{2})?)$') AND ${cell} LIKE '%:%'`)} AS offsets,
      ${patterns.join(', ')} FROM raw`);
  const values = await duck.rows<{ value: string }>(`SELECT ${cell} AS value FROM raw WHERE ${cell} IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 20`);
  const shares = wallPatterns.map((_pattern, index) => row?.[`pattern_${index}`] ?? 0);
  const patternShare = Math.max(...shares);
  return {
    name: column,
    filledShare: row?.filled ?? 0,
    distinct: row?.different ?? 0,
    values: values.map(({ value }) => value),
    numberShare: row?.numbers ?? 0,
    smallestNumber: row?.smallest ?? null,
    largestNumber: row?.largest ?? null,
    isoShare: row?.iso ?? 0,
    offsetShare: row?.offsets ?? 0,
    pattern: patternShare > 0 ? (wallPatterns[shares.indexOf(patternShare)] ?? null) : null,
    patternShare,
  };
}

/** First and last day of the whole source as the mapping reads it; null when it reads no time at all. */
export async function spanOf({
  source,
  mapping,
  timeZone,
  workDir,
}: {
  source: SourceFile;
  mapping: ColumnMappingInput;
  timeZone: string;
  workDir: string;
}): Promise<{ from: string; to: string; days: number } | null> {
  return withDuck({ workDir }, async (duck) => {
    const columns = source.columns.map((column) => `CAST(${name(column)} AS VARCHAR) AS ${name(column)}`);
    const day =
      mapping.atFormat === undefined || mapping.atFormat === 'wall'
        ? 'CAST(wall_time AS DATE)'
        : `CAST(TRY(timezone(${text(timeZone)}, make_timestamptz(at_ms * 1000))) AS DATE)`;
    await duck.run('CREATE TABLE spans (first DATE, last DATE)');
    for (const file of source.files) {
      await duck.run(`CREATE OR REPLACE VIEW raw AS SELECT 1.0 AS raw_line, ${columns.join(', ')} FROM ${readSql({ source, file })}`);
      await duck.run(`INSERT INTO spans SELECT min(day), max(day) FROM (SELECT ${day} AS day FROM (${columnMapping(mapping).sql})) WHERE isfinite(day)`);
    }
    const [row] = await duck.rows<{ first: string | null; last: string | null; days: number | null }>(
      'SELECT min(first)::VARCHAR AS first, max(last)::VARCHAR AS last, (max(last) - min(first) + 1)::DOUBLE AS days FROM spans',
    );
    return row === undefined || row.first === null || row.last === null ? null : { from: row.first, to: row.last, days: row.days ?? 0 };
  });
}
