/** A training is to be done on a GPU. Without one it waits, is done on the CPU, or (a rerun of what a GPU made) fails. */
export type GpuRule = { without: 'wait' | 'cpu' | 'fail' };
/** As the worker that has it names it. */
export type FoundGpu = { name: string };
/** Where a training goes, and why; `wait`: until a worker with a GPU is there. */
export type Placed = { device: 'gpu' | 'cpu' | 'wait'; why: string };

/** Of the queue on which workers with a GPU say that they are there. */
export interface GpuActivities {
  describeGpu(): Promise<FoundGpu>;
}

export interface PlacingActivities {
  /** `gpu`: that of a worker that has just answered; null: none did. */
  placeTraining(input: { candidate: string; rule: GpuRule; gpu: FoundGpu | null }): Promise<Placed>;
}
