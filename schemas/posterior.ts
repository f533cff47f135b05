import { UserError } from './errors.ts';
import { type ParameterRole, type Shape, sizeOf } from './layer.ts';
import { type Model, parametersOf } from './model.ts';

/** One tensor that training changes. */
export interface LearnedTensor {
  readonly shape: Shape;
  readonly data: Float32Array;
}

/**
 * What is believed of a network's weights after training: plain data, to save, freeze or continue from.
 *
 * Of a parameter `0.dense.weight` it holds `0.dense.weight.lambda`, where E[w] = tanh(lambda); of a gain its
 * `.value`; of a bias its `.value` and `.rho`, where its noise has the standard deviation softplus(rho).
 */
export interface Posterior {
  readonly family: 'bernoulli';
  readonly model: Model;
  readonly learned: Readonly<Record<string, LearnedTensor>>;
  /** What each logit stands for. */
  readonly classNames: readonly string[];
}

/** The tensors that stand for a parameter of each role, with their shapes. */
export const learnedParts: Record<ParameterRole, (shape: Shape) => Readonly<Record<string, Shape>>> = {
  weight: (shape) => ({ lambda: shape }),
  gain: (shape) => ({ value: shape }),
  bias: (shape) => ({ value: shape, rho: [1] }),
};

/** Names and shapes of every tensor that training changes. */
export function learnedShapes(model: Model): Record<string, Shape> {
  const shapes: Record<string, Shape> = {};
  for (const [name, { role, shape }] of Object.entries(parametersOf(model))) {
    for (const [part, partShape] of Object.entries(learnedParts[role](shape)))
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
  const shapes = learnedShapes(posterior.model);
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
