import { z } from 'zod';

export const twoTowerParams = z.strictObject({
  /** Length of the vectors; rounded up to a multiple of 8. */
  dimensions: z.number().int().min(8).max(512).default(64),
  /** Of the user tower's hidden layer; rounded up likewise. */
  hidden: z.number().int().min(8).max(2048).default(128),
  /** How much each entry of a history counts of the one after it. The user tower reads one mean of the history for each: 1 all alike, 0 the last alone. */
  decays: z.array(z.number().min(0).max(1)).min(1).max(8).default([0.5, 0.9, 1]),
  /** Share of the cells that a step leaves out: more for sparse data. In 256ths. */
  dropout: z.number().min(0).max(0.9).default(0.2),
  /** How often a step leaves out an item's own vector where it has attributes, and so knows it by them alone. */
  idDropout: z.number().min(0).max(0.9).default(0.2),
  learningRate: z.number().positive().max(1e6).default(2e-3),
  /** Entries of histories a step, whose items are negatives to each other; fewer in small data. */
  batchEntries: z.number().int().min(16).max(65536).default(512),
  /** Items a step draws beside those. */
  negatives: z.number().int().min(8).max(65536).default(512),
  epochs: z.number().int().min(1).max(1000).default(100),
  /** Training stops after so many looks at what is held out without a better one. */
  patience: z.number().int().min(1).max(1000).default(5),
  /** Of the users, whose last entry is held out of training and says when to stop. */
  heldOutShare: z.number().min(0).max(0.5).default(0.1),
  maxHistory: z.number().int().min(1).max(1000).default(50),
});
export type TwoTowerParams = z.output<typeof twoTowerParams>;
