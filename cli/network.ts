import { binary, defineModel, dense, type Model, parametersOf, placesOf, readout } from '../schemas/index.ts';
import { sizeOf } from '../schemas/layer.ts';
import type { ModelDefinition } from '../schemas/model.ts';
import type { Dataset, RegressionDataset } from '../train/data/index.ts';

/** The network that is binary throughout: bytes, hidden layers of these sizes, one logit per class. */
export const binaryNetwork = (data: Dataset, hidden: readonly number[]): Model =>
  networkOf({ type: 'uint8', shape: [sizeOf(data.shape)], scale: data.scale }, hidden, data.classes);

/** The same for what numbers answer: real inputs, and one output per target. */
export const regressionNetwork = (data: RegressionDataset, hidden: readonly number[]): Model =>
  networkOf([sizeOf(data.shape)], hidden, data.outputs);

const networkOf = (input: ModelDefinition['input'], hidden: readonly number[], outputs: number): Model =>
  defineModel({
    input,
    layers: [
      ...hidden.flatMap((units) => [dense({ units }), binary()]),
      dense({ units: outputs }),
      readout(),
    ],
  });

/** How many numbers of a network are weights, which become binary, and how many are not. */
export function parameterCounts(model: Model): { weights: number; others: number } {
  const counts = { weights: 0, others: 0 };
  for (const { role, shape } of Object.values(parametersOf(model))) {
    counts[role === 'weight' ? 'weights' : 'others'] += sizeOf(shape);
  }
  return counts;
}

/** `784 → 512 → 512 → 10`: sizes where they change hands. */
export const networkText = (model: Model): string =>
  [
    sizeOf(model.input.shape),
    ...placesOf(model)
      .filter(({ layer, spec, steps, input }) => Object.keys(layer.parameters(spec, input, steps)).length > 0)
      .map(({ output }) => sizeOf(output)),
  ].join(' → ');
