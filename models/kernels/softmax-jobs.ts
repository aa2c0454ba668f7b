import type { NetworkKernels } from './team.ts';

/** Some rows of a job, and its arguments: addresses in bytes, and counts. */
export type Piece = { from: number; to: number; of: (place: number) => number };
export type Job = (kernels: NetworkKernels, piece: Piece) => void;

/** Items whose scores lie together, so that every product runs over what lies together. */
export const panelItems = 32;
const bytesPerFloat = 4;
const panelRow = panelItems * bytesPerFloat;

/* Of a softmax over all items (models/neural/full-softmax.ts): its pieces are rows of the batch, or panels of items, which tell nothing of each other. */
export const jobs = {
  /**
   * Of some rows: exp(score - largest) for all items, what that sums to, and its product with the items. `largest` begins below all, `sums` and `drawn` at 0.
   * Arguments: vectors [rows, width], items turned [panels][width][32], items [panels * 32, width], shares [panels][rows][32], largest [rows], sums [rows],
   * drawn [rows, width]; rows, panels, width, and how many of the last panel are no items.
   */
  softmaxRows(kernels, { from, to, of }) {
    const { matmul, rowMax, rowExp } = kernels;
    const [rows, panels, width, missing] = [of(7), of(8), of(9), of(10)];
    const [row, count] = [width * bytesPerFloat, to - from];
    const sharesOf = (panel: number): number => of(3) + (panel * rows + from) * panelRow;
    for (let panel = 0; panel < panels; panel += 1)
      matmul(of(0) + from * row, row, bytesPerFloat, of(1) + panel * panelItems * row, panelRow, sharesOf(panel), panelRow, count, panelItems, width, 1);
    kernels.hide(sharesOf(panels - 1), panelRow, count, panelItems, missing);
    for (let panel = 0; panel < panels; panel += 1) rowMax(sharesOf(panel), panelRow, count, panelItems, of(4) + from * bytesPerFloat);
    for (let panel = 0; panel < panels; panel += 1)
      rowExp(sharesOf(panel), panelRow, count, panelItems, of(4) + from * bytesPerFloat, of(5) + from * bytesPerFloat);
    for (let panel = 0; panel < panels; panel += 1)
      matmul(sharesOf(panel), panelRow, bytesPerFloat, of(2) + panel * panelItems * row, row, of(6) + from * row, row, count, width, panelItems, 0);
  },
  /** Of some panels: adds to the gradients of their items. Arguments: shares [panels][rows][32], scaled vectors [rows, width], gradients [panels * 32, width]; rows, width. */
  softmaxItems({ matmul }, { from, to, of }) {
    const [rows, width] = [of(3), of(4)];
    const row = width * bytesPerFloat;
    for (let panel = from; panel < to; panel += 1)
      matmul(of(0) + panel * rows * panelRow, bytesPerFloat, panelRow, of(1), row, of(2) + panel * panelItems * row, row, panelItems, width, rows, 0);
  },
} satisfies Record<string, Job>;
export type JobName = keyof typeof jobs;
