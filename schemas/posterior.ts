import { UserError } from './errors.ts';
import type { GaussianLikelihood } from './likelihood.ts';
import { type ParameterRole, type Shape, sizeOf } from './layer.ts';
import { type Model, parametersOf } from './model.ts';

/** One tensor that training changes. */
export interface LearnedTensor {
  readonly shape: Shape;
  readonly data: Float32Array;
}

/** Which weights of a layer share a standard deviation: all, those of an output channel, or none. */
export type GaussianScale = 'layer' | 'channel' | 'weight';

/**
 * The kind of distribution that a network's weights have.
 *
 * - `bernoulli`: −1 or +1, E[w] = tanh(lambda / temperature). The temperature is 1 unless the posterior is cooled.
 * - `gaussian`: N(mu, softplus(rho)²), where the deviation is that of the current: a gain scales mu alone.
 */
export type Family =
  | { readonly family: 'bernoulli'; readonly temperature?: number }
  | { readonly family: 'gaussian'; readonly scale: GaussianScale };

/**
 * What is believed of a network's weights after training: plain data, to save, freeze or continue from.
 *
 * Of a parameter `0.dense.weight` it holds `0.dense.weight.lambda`, or `.mu` and `.rho` where it is Gaussian; of a
 * gain or threshold its `.value`; of a bias its `.value` and `.rho`, where its noise has the standard deviation
 * softplus(rho); of a decay its `.raw`.
 */
export type Posterior = Family & {
  readonly model: Model;
  readonly learned: Readonly<Record<string, LearnedTensor>>;
  /** What each output stands for: a class, or a number of a regression. */
  readonly classNames: readonly string[];
  /** Of a regression; without it outputs are the logits of classes. */
  readonly likelihood?: GaussianLikelihood;
};

/** Shape of a weight's rho; channels are the last axis. */
const rhoShapes: Record<GaussianScale, (weight: Shape) => Shape> = {
  layer: () => [1],
  channel: (weight) => weight.slice(-1),
  weight: (weight) => weight,
};

type Parts = Readonly<Record<string, Shape>>;

const weightParts = (shape: Shape, of: Family): Parts =>
  of.family === 'bernoulli' ? { lambda: shape } : { mu: shape, rho: rhoShapes[of.scale](shape) };

/** The tensors that stand for a parameter of each role, with their shapes. */
export const learnedParts: Record<ParameterRole, (shape: Shape, of: Family) => Parts> = {
  weight: weightParts,
  gain: (shape) => ({ value: shape }),
  bias: (shape) => ({ value: shape, rho: [1] }),
  decay: (shape) => ({ raw: shape }),
  threshold: (shape) => ({ value: shape }),
};

/** The decay that a learned `raw` stands for: softplus(raw) is its time constant in steps. */
export const decayOfRaw = (raw: number): number =>
  Math.exp(-1 / (Math.max(raw, 0) + Math.log1p(Math.exp(-Math.abs(raw)))));

/** The `raw` of a decay in (0, 1). */
export const rawOfDecay = (decay: number): number => {
  const steps = -1 / Math.log(decay);
  return steps + Math.log(-Math.expm1(-steps));
};

/** Names and shapes of every tensor that training changes. */
export function learnedShapes(model: Model, of: Family = { family: 'bernoulli' }): Record<string, Shape> {
  const shapes: Record<string, Shape> = {};
  for (const [name, { role, shape }] of Object.entries(parametersOf(model))) {
    for (const [part, partShape] of Object.entries(learnedParts[role](shape, of)))
      shapes[`${name}.${part}`] = partShape;
  }
  return shapes;
}

/** The learned tensor of that name, or a UserError: a posterior can come from a file. */
export function learnedTensor(posterior: Posterior, name: string): LearnedTensor {
  const tensor = posterior.learned[name];
  if (!tensor) throw new UserError(`posterior: the tensor ${name} is missing`);
  return tensor;
}

/** Throws a UserError unless the tensors are exactly those of the model, with finite values. */
export function checkPosterior(posterior: Posterior, where: string): void {
  const shapes = learnedShapes(posterior.model, posterior);
  for (const [name, shape] of Object.entries(shapes)) {
    const tensor = posterior.learned[name];
    if (!tensor) throw new UserError(`${where}: the tensor ${name} is missing`);
    if (tensor.shape.join() !== shape.join() || tensor.data.length !== sizeOf(shape)) {
      throw new UserError(`${where}: ${name} has the shape [${tensor.shape}], its model expects [${shape}]`);
    }
    const bad = tensor.data.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0)
      throw new UserError(
        `${where}: ${name} holds ${tensor.data[bad]} at position ${bad}; expected finite numbers`,
      );
  }
  const extra = Object.keys(posterior.learned).find((name) => !Object.hasOwn(shapes, name));
  if (extra !== undefined) throw new UserError(`${where}: ${extra} belongs to no layer of its model`);
}
