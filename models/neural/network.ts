import { createRandom } from '../random.ts';
import { at, type Workspace } from './workspace.ts';

/** What flows through a network: [rows, width], and the gradient of the loss with respect to it. */
export type Flow = { readonly width: number; readonly value: Float32Array; readonly grad: Float32Array };
export type Parameter = { readonly name: string; readonly rows: number; readonly columns: number; readonly value: Float32Array; readonly grad: Float32Array };
/** `backward` adds to the gradients of what `forward` read. */
export type Step = { forward(training: boolean): void; backward(): void };

const bytesPerFloat = 4;
/** Rows that are read together where a product runs over rows: what stays in the first cache. */
const rowsAtOnce = 64;

/** A network as a list of steps over fixed memory. It is built once; each batch says how many rows of the memory it uses. */
export class Network {
  readonly workspace: Workspace;
  readonly mostRows: number;
  readonly parameters: Parameter[] = [];
  /** Of the batch at hand. */
  rows = 0;
  readonly #flows: Flow[] = [];
  readonly #steps: Step[] = [];

  constructor({ workspace, mostRows }: { workspace: Workspace; mostRows: number }) {
    this.workspace = workspace;
    this.mostRows = mostRows;
  }

  flow(width: number): Flow {
    const flow = { width, value: this.workspace.floats(this.mostRows * width), grad: this.workspace.floats(this.mostRows * width) };
    this.#flows.push(flow);
    return flow;
  }

  parameter(name: string, rows: number, columns: number): Parameter {
    const parameter = { name, rows, columns, value: this.workspace.floats(rows * columns), grad: this.workspace.floats(rows * columns) };
    this.parameters.push(parameter);
    return parameter;
  }

  add(step: Step): void {
    this.#steps.push(step);
  }

  forward({ rows, training }: { rows: number; training: boolean }): void {
    this.rows = rows;
    for (const step of this.#steps) step.forward(training);
    if (!training) return;
    for (const { grad, width } of this.#flows) grad.fill(0, 0, rows * width);
    for (const { grad } of this.parameters) grad.fill(0);
  }

  /** From the gradients of what flows out, which whoever made the loss has set, to those of the parameters. */
  backward(): void {
    for (const step of this.#steps.toReversed()) step.backward();
  }
}

const floatsOfLine = 16;

/** Into the second argument, [columns, rows]: what stood in [rows, columns]. */
export function transposeInto(from: Float32Array, into: Float32Array, rows: number, columns: number): void {
  // A line of the cache at a time: written one by one, numbers a power of two apart push each other out of it.
  for (let first = 0; first < rows; first += floatsOfLine) {
    const end = Math.min(rows, first + floatsOfLine);
    for (let column = 0; column < columns; column += 1)
      for (let row = first; row < end; row += 1) into[column * rows + row] = from[row * columns + column] as number;
  }
}

/** y = x W + b. W is [x.width, width]; both widths are multiples of 8. */
export function linear(network: Network, { from, width, name }: { from: Flow; width: number; name: string }): Flow {
  const { workspace } = network;
  const into = network.flow(width);
  const weight = network.parameter(`${name}.weight`, from.width, width);
  const bias = network.parameter(`${name}.bias`, 1, width);
  const turned = workspace.floats(from.width * width);
  const [inRow, outRow] = [from.width * bytesPerFloat, width * bytesPerFloat];
  network.add({
    forward() {
      const { rows } = network;
      workspace.kernels.matmul(at(from.value), inRow, bytesPerFloat, at(weight.value), outRow, at(into.value), outRow, rows, width, from.width, 1);
      for (let row = 0, cell = 0; row < rows; row += 1)
        for (let column = 0; column < width; column += 1, cell += 1) into.value[cell] = (into.value[cell] as number) + (bias.value[column] as number);
    },
    backward() {
      const { rows } = network;
      for (let row = 0, cell = 0; row < rows; row += 1)
        for (let column = 0; column < width; column += 1, cell += 1) bias.grad[column] = (bias.grad[column] as number) + (into.grad[cell] as number);
      for (let row = 0; row < rows; row += rowsAtOnce) {
        const count = Math.min(rowsAtOnce, rows - row);
        const [x, dy] = [at(from.value, row * from.width), at(into.grad, row * width)];
        workspace.kernels.matmul(x, bytesPerFloat, inRow, dy, outRow, at(weight.grad), outRow, from.width, width, count, 0);
      }
      transposeInto(weight.value, turned, from.width, width);
      workspace.kernels.matmul(at(into.grad), outRow, bytesPerFloat, at(turned), inRow, at(from.grad), inRow, rows, from.width, width, 0);
    },
  });
  return into;
}

export const layerNormEpsilon = 1e-5;

/** y = (x - mean) / sqrt(variance + epsilon) * gain + bias, row by row. Ba, Kiros, Hinton, "Layer normalization" (2016). */
export function layerNorm(network: Network, { from, name }: { from: Flow; name: string }): Flow {
  const { width } = from;
  const into = network.flow(width);
  const gain = network.parameter(`${name}.gain`, 1, width);
  const bias = network.parameter(`${name}.bias`, 1, width);
  const normal = network.workspace.floats(network.mostRows * width);
  const scales = network.workspace.floats(network.mostRows);
  network.add({
    forward() {
      for (let row = 0; row < network.rows; row += 1) {
        const first = row * width;
        let sum = 0;
        for (let column = 0; column < width; column += 1) sum += from.value[first + column] as number;
        const mean = sum / width;
        let squares = 0;
        for (let column = 0; column < width; column += 1) {
          const difference = (from.value[first + column] as number) - mean;
          squares += difference * difference;
        }
        const scale = 1 / Math.sqrt(squares / width + layerNormEpsilon);
        scales[row] = scale;
        for (let column = 0; column < width; column += 1) {
          const value = ((from.value[first + column] as number) - mean) * scale;
          normal[first + column] = value;
          into.value[first + column] = value * (gain.value[column] as number) + (bias.value[column] as number);
        }
      }
    },
    backward() {
      for (let row = 0; row < network.rows; row += 1) {
        const first = row * width;
        let sum = 0;
        let product = 0;
        for (let column = 0; column < width; column += 1) {
          const grad = into.grad[first + column] as number;
          const value = normal[first + column] as number;
          const through = grad * (gain.value[column] as number);
          sum += through;
          product += through * value;
          gain.grad[column] = (gain.grad[column] as number) + grad * value;
          bias.grad[column] = (bias.grad[column] as number) + grad;
        }
        const [mean, slope, scale] = [sum / width, product / width, scales[row] as number];
        for (let column = 0; column < width; column += 1) {
          const through = (into.grad[first + column] as number) * (gain.value[column] as number);
          const change = scale * (through - mean - (normal[first + column] as number) * slope);
          from.grad[first + column] = (from.grad[first + column] as number) + change;
        }
      }
    },
  });
  return into;
}

/** max(x, 0) */
export function relu(network: Network, from: Flow): Flow {
  const into = network.flow(from.width);
  network.add({
    forward() {
      const cells = network.rows * from.width;
      for (let cell = 0; cell < cells; cell += 1) into.value[cell] = Math.max(0, from.value[cell] as number);
    },
    backward() {
      const cells = network.rows * from.width;
      for (let cell = 0; cell < cells; cell += 1)
        if ((from.value[cell] as number) > 0) from.grad[cell] = (from.grad[cell] as number) + (into.grad[cell] as number);
    },
  });
  return into;
}

/** Which cells are dropped in the step at hand: the same for the same seed and step, whatever was done before. */
export class DropoutMasks {
  /** Of 256. */
  readonly dropped: number;
  #random = createRandom(0);

  constructor(rate: number) {
    this.dropped = Math.round(rate * 256);
  }

  /** @param key whole number, another one for each step */
  begin(key: number): void {
    this.#random = createRandom(key);
  }

  /** What is kept is made larger, so that the expectation stays. */
  get scale(): number {
    return 256 / (256 - this.dropped);
  }

  fill(mask: Uint8Array, cells: number): void {
    for (let cell = 0; cell < cells; cell += 4) {
      const bits = this.#random.uint32();
      mask[cell] = (bits & 255) >= this.dropped ? 1 : 0;
      mask[cell + 1] = ((bits >>> 8) & 255) >= this.dropped ? 1 : 0;
      mask[cell + 2] = ((bits >>> 16) & 255) >= this.dropped ? 1 : 0;
      mask[cell + 3] = bits >>> 24 >= this.dropped ? 1 : 0;
    }
  }
}

/** `base + dropout(branch)`; without base, the branch alone. */
export function addDropped(network: Network, { base, branch, masks }: { base?: Flow; branch: Flow; masks: DropoutMasks }): Flow {
  const into = network.flow(branch.width);
  const mask = new Uint8Array(network.mostRows * branch.width);
  let scale = 1;
  network.add({
    forward(training) {
      const cells = network.rows * branch.width;
      const drops = training && masks.dropped > 0;
      scale = drops ? masks.scale : 1;
      if (drops) masks.fill(mask, cells);
      else mask.fill(1, 0, cells);
      if (base === undefined) for (let cell = 0; cell < cells; cell += 1) into.value[cell] = (branch.value[cell] as number) * (mask[cell] as number) * scale;
      else
        for (let cell = 0; cell < cells; cell += 1)
          into.value[cell] = (base.value[cell] as number) + (branch.value[cell] as number) * (mask[cell] as number) * scale;
    },
    backward() {
      const cells = network.rows * branch.width;
      for (let cell = 0; cell < cells; cell += 1) {
        const grad = into.grad[cell] as number;
        branch.grad[cell] = (branch.grad[cell] as number) + grad * (mask[cell] as number) * scale;
        if (base !== undefined) base.grad[cell] = (base.grad[cell] as number) + grad;
      }
    },
  });
  return into;
}
