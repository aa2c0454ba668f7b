import { z } from 'zod';
import type { Interactions, ItemAttributes, Model, TrainHooks } from '../algorithm.ts';
import { ials } from '../ials/ials.ts';
import { sasrec } from '../sasrec/sasrec.ts';
import { twoTower } from '../two-tower/two-tower.ts';

/** Those whose scores are products of vectors, and that need no other's. */
export const firstStage = z
  .discriminatedUnion('algorithm', [
    z.strictObject({ algorithm: z.literal('ials'), params: ials.params.prefault({}) }),
    z.strictObject({ algorithm: z.literal('two-tower'), params: twoTower.params.prefault({}) }),
    z.strictObject({ algorithm: z.literal('sasrec'), params: sasrec.params.prefault({}) }),
  ])
  .prefault({ algorithm: 'ials' });
export type FirstStage = z.output<typeof firstStage>;

type Input = { first: FirstStage; interactions: Interactions; seed: number; attributes: ItemAttributes | undefined };

export function trainFirstStage({ first, ...input }: Input, hooks: TrainHooks): Promise<Model> {
  switch (first.algorithm) {
    case 'ials':
      return ials.train({ ...input, params: first.params }, hooks);
    case 'two-tower':
      return twoTower.train({ ...input, params: first.params }, hooks);
    case 'sasrec':
      return sasrec.train({ ...input, params: first.params }, hooks);
  }
}
