import { digestJson } from '../contracts/digest.ts';
import type { FeatureView } from '../contracts/feature.ts';
import type { Digest } from '../contracts/ids.ts';

/** Names what a view's values depend on: all of its definition but the owner, who may change without a value that changes. */
export function featureViewDigest({ owner: _owner, ...definition }: FeatureView): Digest {
  return digestJson(definition);
}
