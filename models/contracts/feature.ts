import { z } from 'zod';
import { eventKinds } from './event.ts';
import { digestString, epochMs, externalId, surfaceName } from './ids.ts';

/** Whose feature it is: the id of an event by which a view groups. */
export const featureEntities = ['user', 'item', 'session'] as const;
export type FeatureEntity = (typeof featureEntities)[number];

/** What a feature may read of an event. `spendMinor` is price times quantity, of one where the event does not say how many. */
export const featureFields = {
  kind: 'text',
  userId: 'text',
  sessionId: 'text',
  itemId: 'text',
  requestId: 'text',
  position: 'integer',
  quantity: 'integer',
  unitPriceMinor: 'integer',
  spendMinor: 'integer',
  dwellMs: 'integer',
  /** Summed in millionths, so that a sum does not depend on its order. */
  rating: 'number',
} as const satisfies Record<string, FeatureType>;
export type FeatureField = keyof typeof featureFields;

export const featureTypes = ['integer', 'number', 'text'] as const;
export type FeatureType = (typeof featureTypes)[number];
/** What a feature has for one entity at one moment. Null: nothing can be said, such as the mean of nothing. */
export type FeatureValue = number | string | null;

const names = Object.keys(featureFields) as [FeatureField, ...FeatureField[]];
const textFields = names.filter((field) => featureFields[field] === 'text') as [FeatureField, ...FeatureField[]];
const numberFields = names.filter((field) => featureFields[field] !== 'text') as [FeatureField, ...FeatureField[]];

/** An event without the field meets no condition on it. */
const condition = z.union([
  z.strictObject({ field: z.enum(textFields), in: z.array(externalId).min(1).max(1_000) }),
  z.strictObject({ field: z.enum(numberFields), min: z.number().optional(), max: z.number().optional() }),
]);
export type FeatureCondition = z.infer<typeof condition>;

const where = z.array(condition).max(20).optional();

/**
 * The aggregates, over the events of the view's source in the window that meet every condition of `where`. Data and no SQL text, so that one
 * definition runs in DuckDB and in TypeScript.
 */
const expression = z.discriminatedUnion('aggregate', [
  z.strictObject({ aggregate: z.literal('count'), where }),
  z.strictObject({ aggregate: z.literal('sum'), of: z.enum(numberFields), where }),
  z.strictObject({ aggregate: z.literal('mean'), of: z.enum(numberFields), where }),
  /** Of all events of the source in the window, the part that meets the conditions. */
  z.strictObject({ aggregate: z.literal('share'), where: z.array(condition).min(1).max(20) }),
  /** The field of the latest event that has it; of several at one millisecond, of the one whose event id is last by its code points. */
  z.strictObject({ aggregate: z.literal('last'), of: z.enum(names), where }),
  z.strictObject({ aggregate: z.literal('distinct'), of: z.enum(textFields), where }),
  /** Milliseconds. */
  z.strictObject({ aggregate: z.literal('time-since-last'), where }),
]);
export type FeatureExpression = z.infer<typeof expression>;

/** A name that may stand in a path, in SQL and in a column's name. */
const name = z
  .string()
  .regex(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/, 'lower-case letters, digits and single dashes')
  .max(63);

const feature = z
  .strictObject({
    name,
    expression,
    /** Events at most so long before the moment count: `windowMs` before it is in, the moment itself is out. */
    windowMs: z.union([z.number().int().min(1).max(3_153_600_000_000), z.literal('all')]),
    type: z.enum(featureTypes),
  })
  .superRefine((input, context) => {
    const type = typeOfExpression(input.expression);
    if (input.type !== type) context.addIssue({ code: 'custom', path: ['type'], message: `${input.expression.aggregate} gives ${type}` });
  });
export type Feature = z.infer<typeof feature>;

/** What an expression gives. */
export function typeOfExpression(of: FeatureExpression): FeatureType {
  if (of.aggregate === 'mean' || of.aggregate === 'share') return 'number';
  return of.aggregate === 'sum' || of.aggregate === 'last' ? featureFields[of.of] : 'integer';
}

/** A feature view: features of one kind of entity from one source, defined once for training and serving. */
export const featureView = z.strictObject({
  name,
  /** A changed definition is a new version. */
  version: z.number().int().min(1).max(99_999),
  /** Who answers for it; may change within a version. */
  owner: z.string().min(1).max(200),
  entity: z.enum(featureEntities),
  source: z.strictObject({ from: z.literal('events'), kinds: z.array(z.enum(eventKinds)).min(1), where }),
  features: z
    .array(feature)
    .min(1)
    .max(200)
    .refine((features) => new Set(features.map((one) => one.name)).size === features.length, 'two features have one name'),
  /** A stored value older than this is served as missing. */
  ttlMs: z.number().int().min(1),
});
export type FeatureView = z.output<typeof featureView>;
export type FeatureViewInput = z.input<typeof featureView>;

/** For `understudy.config.ts`: `export const features = [defineFeatureView({…})]`; the types say what may stand there. */
export function defineFeatureView(input: FeatureViewInput): FeatureViewInput {
  return input;
}

/** The views of a configuration. */
export const featureViews = z
  .array(featureView)
  .max(200)
  .refine((views) => new Set(views.map((view) => view.name)).size === views.length, 'two views have one name');

/** A generation of the series `features/<surface>/<view>`: this version has this definition (a blob, canonical JSON), and this owner from now on. */
export const featureRegistration = z.strictObject({
  kind: z.literal('feature-view'),
  surface: surfaceName,
  view: name,
  version: z.number().int().min(1),
  /** As `featureViewDigest` makes it. */
  digest: digestString,
  definition: digestString,
  owner: z.string(),
});
export type FeatureRegistration = z.infer<typeof featureRegistration>;

/** A generation of the series `feature-values/<surface>/<view>`: what its number stands for in every online store. */
export const featureGeneration = z.strictObject({
  kind: z.literal('feature-values'),
  surface: surfaceName,
  view: name,
  version: z.number().int().min(1),
  digest: digestString,
  /** Values are of what was known before this moment, */
  asOfMs: epochMs,
  /** by this generation of `data/<surface>`. */
  data: z.number().int().min(1),
});
export type FeatureGeneration = z.infer<typeof featureGeneration>;

/** A value that was served, as a log keeps it. */
export const servedFeatures = z.strictObject({
  entity: externalId,
  generation: z.number().int().min(1),
  /** When it was read. */
  atMs: epochMs,
  /** In the order of the view's features; null where the entity was missing. */
  values: z.array(z.union([z.number(), z.string(), z.null()])).nullable(),
});
export type ServedFeatures = z.infer<typeof servedFeatures>;
