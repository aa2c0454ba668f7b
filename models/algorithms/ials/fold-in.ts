import type { OnnxBuilder, Value } from '../../graph/onnx-builder.ts';
import type { RecommendInputs } from '../../graph/recommend-interface.ts';

/**
 * The items as fold-in sees them. A new user's equations are (S + lambda_row I + alpha sum r y y^T) x = alpha sum r y with the items y in the basis in which
 * their Gram matrix is the diagonal S. All but a little of the matrix is the same for everybody: with lambda_0 of an empty row and z = (S + lambda_0 I)^-1/2 y,
 *
 *   (I + growth M + alpha sum r z z^T) w = alpha sum r z,     M = (S + lambda_0 I)^-1,     growth = lambda_row - lambda_0,     score = z . w = y . x
 *
 * which has few eigenvalues far from 1, so that a handful of conjugate gradient steps suffice, and single precision too.
 */
export type FoldInItems = {
  /** [itemCount, width] z of each item */
  factors: Float32Array;
  /** [width] the diagonal of M */
  growthDiagonal: Float32Array;
  itemCount: number;
  width: number;
  settings: FoldInSettings;
};
export type FoldInSettings = { alpha: number; lambda: number; frequencyScaling: number; foldInSteps: number };

/** Keeps 0 / 0 out where the residual is 0 already: the step is then 0. */
const smallest = 1e-30;

/**
 * @param items float32 [itemCount, width] in the basis of the spectrum
 * @param spectrum [width] S
 */
export function whitenItems({
  items,
  spectrum,
  itemCount,
  settings,
}: {
  items: Float32Array;
  spectrum: Float32Array;
  itemCount: number;
  settings: FoldInSettings;
}): FoldInItems {
  const width = spectrum.length;
  const base = settings.lambda * itemCount ** settings.frequencyScaling;
  const growthDiagonal = Float32Array.from(spectrum, (value) => 1 / (value + base));
  const scale = Float64Array.from(spectrum, (value) => 1 / Math.sqrt(value + base));
  const factors = new Float32Array(items.length);
  for (let place = 0; place < items.length; place += 1) factors[place] = (items[place] as number) * (scale[place % width] as number);
  return { factors, growthDiagonal, itemCount, width, settings };
}

/** The user's vector w, by the same steps as the graph, in double precision. An empty history gives 0. */
export function foldIn({ items, history }: { items: FoldInItems; history: readonly { item: number; weight: number }[] }): Float64Array {
  const { factors, growthDiagonal, itemCount, width, settings } = items;
  const weights = history.map(({ weight }) => settings.alpha * weight);
  const growth = lambdaGrowth(
    weights.reduce((sum, weight) => sum + weight, 0),
    itemCount,
    settings,
  );
  const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, f) => sum + value * (b[f] as number), 0);

  const multiply = (x: Float64Array): Float64Array => {
    const product = x.map((value, f) => value + growth * (growthDiagonal[f] as number) * value);
    history.forEach(({ item }, position) => {
      let sum = 0;
      for (let f = 0; f < width; f += 1) sum += (factors[item * width + f] as number) * (x[f] as number);
      const coefficient = (weights[position] as number) * sum;
      for (let f = 0; f < width; f += 1) product[f] = (product[f] as number) + coefficient * (factors[item * width + f] as number);
    });
    return product;
  };

  const user = new Float64Array(width);
  const residual = new Float64Array(width);
  history.forEach(({ item }, position) => {
    for (let f = 0; f < width; f += 1) residual[f] = (residual[f] as number) + (weights[position] as number) * (factors[item * width + f] as number);
  });
  const direction = residual.slice();
  let squared = dot(residual, residual);
  for (let step = 0; step < settings.foldInSteps; step += 1) {
    const product = multiply(direction);
    const stride = squared / Math.max(dot(direction, product), smallest);
    for (let f = 0; f < width; f += 1) {
      user[f] = (user[f] as number) + stride * (direction[f] as number);
      residual[f] = (residual[f] as number) - stride * (product[f] as number);
    }
    const next = dot(residual, residual);
    const momentum = next / Math.max(squared, smallest);
    for (let f = 0; f < width; f += 1) direction[f] = (residual[f] as number) + momentum * (direction[f] as number);
    squared = next;
  }
  return user;
}

/** lambda_row - lambda_0 for a row whose observed weights add up to `observed`. */
function lambdaGrowth(observed: number, itemCount: number, { lambda, frequencyScaling }: FoldInSettings): number {
  return lambda * itemCount ** frequencyScaling * ((1 + observed / itemCount) ** frequencyScaling - 1);
}

/** The same as nodes, unrolled; vectors are columns [width, 1], numbers [1, 1]. @param rows [h, width] of the history, of padding 0 */
export function foldInGraph({ graph, inputs, rows, items }: { graph: OnnxBuilder; inputs: RecommendInputs; rows: Value; items: FoldInItems }): Value {
  const { growthDiagonal, itemCount, width, settings } = items;
  const { alpha, lambda, frequencyScaling, foldInSteps } = settings;
  const add = (a: Value, b: Value): Value => graph.node('Add', [a, b]);
  const mul = (a: Value, b: Value): Value => graph.node('Mul', [a, b]);
  const matMul = (a: Value, b: Value): Value => graph.node('MatMul', [a, b]);
  const dot = (a: Value, b: Value): Value => graph.node('ReduceSum', [mul(a, b)]);
  const tiny = graph.float32(smallest);
  const ratio = (a: Value, b: Value): Value => graph.node('Div', [a, graph.node('Max', [b, tiny])]);

  const columns = graph.node('Transpose', [rows], { perm: { ints: [1, 0] } });
  const weights = mul(graph.node('Unsqueeze', [inputs.historyWeight, graph.int64(1)]), graph.float32(alpha));
  let multiply = (x: Value): Value => add(x, matMul(columns, mul(weights, matMul(rows, x))));
  if (frequencyScaling > 0) {
    const one = graph.float32(1);
    const share = add(one, mul(graph.node('ReduceSum', [weights]), graph.float32(1 / itemCount)));
    const raised = frequencyScaling === 1 ? share : graph.node('Pow', [share, graph.float32(frequencyScaling)]);
    const growth = mul(graph.node('Sub', [raised, one]), graph.float32(lambda * itemCount ** frequencyScaling));
    const scale = add(one, mul(growth, graph.constant(growthDiagonal, [width, 1], 'growth_diagonal')));
    multiply = (x) => add(mul(scale, x), matMul(columns, mul(weights, matMul(rows, x))));
  }

  let residual = matMul(columns, weights);
  let direction = residual;
  let squared = dot(residual, residual);
  let user: Value | undefined;
  for (let step = 0; step < foldInSteps; step += 1) {
    const product = multiply(direction);
    const stride = ratio(squared, dot(direction, product));
    const moved = mul(stride, direction);
    user = user === undefined ? moved : add(user, moved);
    if (step + 1 === foldInSteps) break;
    residual = graph.node('Sub', [residual, mul(stride, product)]);
    const next = dot(residual, residual);
    direction = add(residual, mul(ratio(next, squared), direction));
    squared = next;
  }
  return user as Value;
}
