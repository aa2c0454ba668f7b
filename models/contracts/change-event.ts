import { z } from 'zod';
import { commonFields } from './event.ts';
import { externalId, machineName } from './ids.ts';

/** What happened to an item, to what is known of a person, or to what a person allows: no interaction, and never a reward. */
export const changeKinds = ['catalog', 'profile', 'consent', 'login'] as const;
export type ChangeKind = (typeof changeKinds)[number];

/** What a person may allow or forbid, each by itself. */
export const consentPurposes = ['personalization', 'training'] as const;
export type ConsentPurpose = (typeof consentPurposes)[number];

const change = <Kind extends ChangeKind, Own extends z.ZodRawShape>(kind: Kind, own: Own) =>
  z.strictObject({ schemaVersion: z.literal(1).default(1), kind: z.literal(kind), ...commonFields, ...own });

const line = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'one line');

/** What is said of the item; what is absent stays. */
export const catalogChange = change('catalog', {
  itemId: externalId,
  title: line.optional(),
  category: line.nullable().optional(),
  brand: line.nullable().optional(),
  priceMinor: z.number().int().min(0).max(1_000_000_000).nullable().optional().describe('Price of one unit in minor units (pence)'),
  inStock: z.boolean().optional(),
}).refine(
  ({ title, category, brand, priceMinor, inStock }) => [title, category, brand, priceMinor, inStock].some((value) => value !== undefined),
  'says nothing of the item: name one of title, category, brand, priceMinor, inStock',
);

/** What is known of a user, such as a lifecycle stage or a loyalty tier; null takes an attribute away. */
export const profileChange = change('profile', {
  userId: externalId,
  attributes: z
    .record(
      machineName,
      z.union([
        z
          .string()
          .max(200)
          .regex(/^\P{Cs}*$/u, 'well-formed'),
        z.number(),
        z.boolean(),
        z.null(),
      ]),
    )
    .refine((attributes) => Object.keys(attributes).length > 0 && Object.keys(attributes).length <= 50, '1 to 50 attributes'),
});

/** What a person allows from then on; who never said anything is governed by the charter's `consent.whenUnknown`. */
export const consentChange = change('consent', {
  userId: externalId.optional(),
  deviceId: externalId.optional(),
  sessionId: externalId.optional(),
  purposes: z.partialRecord(z.enum(consentPurposes), z.boolean()).refine((purposes) => Object.keys(purposes).length > 0, 'names no purpose'),
}).refine(
  ({ userId, deviceId, sessionId }) => [userId, deviceId, sessionId].filter((id) => id !== undefined).length === 1,
  'name whose consent it is: one of userId, deviceId, sessionId',
);

/** A session, and the device where there is one, turned out to be a user's: what they did before is the user's too. */
export const loginChange = change('login', { userId: externalId, sessionId: externalId, deviceId: externalId.optional() });

export const changeSchemas = { catalog: catalogChange, profile: profileChange, consent: consentChange, login: loginChange } as const;
export type ChangeEvent = { [Kind in ChangeKind]: z.output<(typeof changeSchemas)[Kind]> }[ChangeKind];
