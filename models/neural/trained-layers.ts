import type { OnnxBuilder, Value } from '../graph/onnx-builder.ts';
import { layerNormEpsilon, type Parameter } from './network.ts';

/** What a network's parts have learned, by their names: as the model computes with it, in double precision, and as a graph. */
export class TrainedLayers {
  readonly #values: ReadonlyMap<string, Float32Array>;

  constructor(parameters: readonly Parameter[]) {
    this.#values = new Map(parameters.map(({ name, value }) => [name, value.slice()]));
  }

  valueOf(name: string): Float32Array {
    const found = this.#values.get(name);
    if (found === undefined) throw new Error(`There are no weights '${name}'`);
    return found;
  }

  /** row W + b */
  linear(row: Float64Array, name: string): Float64Array {
    const weight = this.valueOf(`${name}.weight`);
    const out = Float64Array.from(this.valueOf(`${name}.bias`));
    for (const [f, value] of row.entries())
      for (let column = 0; column < out.length; column += 1) out[column] = (out[column] as number) + value * (weight[f * out.length + column] as number);
    return out;
  }

  normalized(row: Float64Array, name: string): Float64Array {
    const [gain, bias] = [this.valueOf(`${name}.gain`), this.valueOf(`${name}.bias`)];
    const mean = row.reduce((total, value) => total + value, 0) / row.length;
    const variance = row.reduce((total, value) => total + (value - mean) ** 2, 0) / row.length;
    const scale = 1 / Math.sqrt(variance + layerNormEpsilon);
    return row.map((value, f) => (value - mean) * scale * (gain[f] as number) + (bias[f] as number));
  }

  constant(graph: OnnxBuilder, name: string, dimensions: readonly number[]): Value {
    return graph.constant(this.valueOf(name), dimensions, name.replaceAll(/[ .]/g, '_'));
  }

  linearNode(graph: OnnxBuilder, from: Value, name: string): Value {
    const width = this.valueOf(`${name}.bias`).length;
    const weight = this.constant(graph, `${name}.weight`, [this.valueOf(`${name}.weight`).length / width, width]);
    return graph.node('Add', [graph.node('MatMul', [from, weight]), this.constant(graph, `${name}.bias`, [width])]);
  }

  normalizedNode(graph: OnnxBuilder, from: Value, name: string): Value {
    const width = [this.valueOf(`${name}.gain`).length];
    return graph.node('LayerNormalization', [from, this.constant(graph, `${name}.gain`, width), this.constant(graph, `${name}.bias`, width)], {
      axis: { int: -1 },
      epsilon: { float: layerNormEpsilon },
    });
  }
}

export const sum = (a: Float64Array, b: Float64Array): Float64Array => a.map((value, f) => value + (b[f] as number));
