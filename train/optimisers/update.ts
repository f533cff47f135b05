import * as tf from '@tensorflow/tfjs-core';
import type { RateGroup } from '../rates.ts';
import { type OptimiserOptions, optimiserOf } from './index.ts';
import { named } from './optimiser.ts';

type Tensors = Readonly<Record<string, tf.Tensor>>;

/** What decides how gradients change the learned tensors, apart from the rates. */
export interface Update {
  /** The group of each learned tensor, whose learning rate it has. */
  readonly groups: Readonly<Record<string, RateGroup>>;
  readonly optimiser: OptimiserOptions;
  /** Longest gradient, over all learned tensors together; undefined where any length goes. */
  readonly clipNorm?: number | undefined;
}

export interface Updated {
  /** Learned tensors and what the optimiser keeps of them. */
  readonly state: Tensors;
  /** `gradientNorm`, the length before clipping, where gradients are clipped. */
  readonly reports: Tensors;
}

/**
 * Clips the gradients and moves every learned tensor by them.
 *
 * @param state learned tensors and what the optimiser keeps of them
 * @param scalars `rate.weights` and those of the other groups, and the optimiser's own
 */
export function applyGradients(
  update: Update,
  state: Tensors,
  gradients: Tensors,
  scalars: Tensors,
): Updated {
  const { groups, optimiser, clipNorm } = update;
  const { keeps, move } = optimiserOf(optimiser);
  const { scale, reports } = clipping(gradients, clipNorm);
  const next: Record<string, tf.Tensor> = {};
  for (const [name, gradient] of Object.entries(gradients)) {
    const kept = Object.fromEntries(keeps.map((part) => [part, named(state, `${name}.${part}`)]));
    const rate = named(scalars, `rate.${groups[name]}`);
    const moved = move({ value: named(state, name), kept }, scale(gradient), rate, scalars);
    next[name] = moved.value;
    for (const part of keeps) next[`${name}.${part}`] = named(moved.kept, part);
  }
  return { state: next, reports };
}

/**
 * Clipping by global norm (Pascanu, Mikolov and Bengio 2013): with ‖g‖ over all learned tensors together,
 *
 *     g ← g · c / max(‖g‖, c)
 */
function clipping(gradients: Tensors, clipNorm: number | undefined) {
  if (clipNorm === undefined) return { scale: (gradient: tf.Tensor) => gradient, reports: {} };
  const squares = Object.values(gradients).map((gradient) => tf.sum(tf.square(gradient)));
  const gradientNorm = tf.sqrt(tf.addN(squares));
  const factor = tf.div(clipNorm, tf.maximum(gradientNorm, clipNorm));
  return { scale: (gradient: tf.Tensor) => tf.mul(gradient, factor), reports: { gradientNorm } };
}
