import { digestJson } from '../../models/contracts/digest.ts';
import type { ReportPart } from '../../models/contracts/report.ts';
import type { CardSource } from './card-source.ts';
import { limitsOf } from './model-card.ts';

type Json = Record<string, unknown>;

/**
 * The card for programs: a bill of materials of machine learning, CycloneDX 1.6 (ECMA-424) as JSON. The same run gives the same bytes: it has no time of its
 * own, and its serial number is made of what it is about.
 */
export function mlBom(of: CardSource): Json {
  const libraries = libraryComponents(of);
  const [model, data] = [refOf('model', of.artifact), refOf('data', of.manifest.window)];
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(digestJson({ artifact: of.artifact, report: of.reportDigest }))}`,
    version: 1,
    metadata: { tools: { components: [{ type: 'application', name: 'understudy' }] }, component: modelComponent(of, { model, data }) },
    components: [dataComponent(of, data), ...libraries],
    dependencies: [{ ref: model, dependsOn: [data, ...libraries.map((one) => String(one['bom-ref']))] }, { ref: data }],
  };
}

const refOf = (what: string, digest: string): string => `${what}:${digest}`;
const hash = (digest: string): Json[] => [{ alg: 'SHA-256', content: digest.slice('sha256:'.length) }];
const property = (name: string, value: unknown): Json => ({ name: `understudy:${name}`, value: typeof value === 'string' ? value : JSON.stringify(value) });

/** A UUID of its own making (RFC 9562, version 8) out of a digest. */
function uuidOf(digest: string): string {
  const hex = digest.slice('sha256:'.length);
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 3) | 8).toString(16);
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `${variant}${hex.slice(17, 20)}`, hex.slice(20, 32)].join('-');
}

function modelComponent(of: CardSource, refs: { model: string; data: string }): Json {
  const { manifest, surface, artifact, making, runId, bytes, trainSeconds, parity, reportDigest, charterDigest, charter } = of;
  return {
    type: 'machine-learning-model',
    'bom-ref': refs.model,
    name: `${surface}/${manifest.candidate}`,
    version: artifact,
    hashes: hash(artifact),
    ...(making?.code.commit ? { pedigree: { commits: [{ uid: making.code.commit }] } } : {}),
    components: Object.entries(manifest.files).map(([name, digest]) => ({
      type: 'file',
      'bom-ref': refOf(`file:${name}`, digest),
      name,
      hashes: hash(digest),
    })),
    modelCard: {
      modelParameters: { architectureFamily: manifest.algorithm, modelArchitecture: manifest.interface, datasets: [{ ref: refs.data }] },
      quantitativeAnalysis: { performanceMetrics: performance(of) },
      considerations: { useCases: [`${charter.objective}: ${charter.title}`], technicalLimitations: limitsOf(of) },
    },
    properties: [
      property('run', runId),
      property('window', manifest.window),
      property('recipe', manifest.recipe),
      property('charter', charterDigest),
      property('evidence', reportDigest),
      property('params', manifest.params),
      property('seed', manifest.seed),
      property('items', manifest.itemCount),
      property('bytes', bytes),
      property('trainSeconds', trainSeconds),
      property('parity', parity),
      property('passed', of.report.passed),
      property('verdict', of.report.verdict),
      ...(making === null ? [] : [property('sources', making.code.files), property('host', making.host)]),
    ],
  };
}

function performance({ report }: CardSource): Json[] {
  const rows = (metrics: ReportPart['metrics'], slice?: string): Json[] =>
    Object.entries(metrics).map(([type, { value, low, high }]) => ({
      type,
      value: String(value),
      ...(slice === undefined ? {} : { slice }),
      confidenceInterval: { lowerBound: String(low), upperBound: String(high) },
    }));
  return [
    ...rows(report.metrics),
    ...Object.entries(report.lift ?? {}).flatMap(([name, one]) => rows({ [`lift of ${name}`]: one })),
    ...Object.entries(report.slices ?? {}).flatMap(([name, { metrics }]) => rows(metrics, name)),
    ...(report.segments ?? []).flatMap(({ by, value, metrics }) => rows(metrics, `${by}: ${value}`)),
  ];
}

function dataComponent({ window, manifest, surface, data, charter, erased }: CardSource, ref: string): Json {
  const slices = [...window.trainSlices, ...window.testSlices];
  return {
    type: 'data',
    'bom-ref': ref,
    name: `${surface}, ${window.train.from} to ${window.test.to}`,
    version: manifest.window,
    hashes: hash(manifest.window),
    data: [
      {
        type: 'dataset',
        name: 'events',
        contents: {
          properties: [
            property('train', { ...window.train, ...data.train }),
            property('test', { ...window.test, ...data.test }),
            property('gapDays', window.gapDays),
            property('catalog', window.catalog),
            property('rules', window.rulesDigest),
            property('erased', erased),
          ],
        },
        governance: { owners: charter.owners.map((name) => ({ contact: { name } })) },
      },
    ],
    components: slices.map(({ day, source, digest, rows }, nth) => ({
      type: 'data',
      'bom-ref': refOf(`slice:${nth}`, digest),
      name: `${day}${source === undefined ? '' : `, ${source}`}`,
      hashes: hash(digest),
      properties: [property('rows', rows)],
    })),
  };
}

/** Node, and the packages that took part in training, each version of each. */
function libraryComponents({ making }: CardSource): Json[] {
  return Object.entries(making?.libraries ?? {}).flatMap(([name, versions]) =>
    versions.split(', ').map((version) => {
      const purl = name === 'node' ? `pkg:generic/node@${version}` : `pkg:npm/${name.replace('@', '%40')}@${version}`;
      return { type: name === 'node' ? 'platform' : 'library', 'bom-ref': purl, name, version, purl };
    }),
  );
}
