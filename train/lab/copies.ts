import * as tf from '@tensorflow/tfjs-core';
import { sizeOf } from '../../schemas/layer.ts';
import type { Posterior } from '../../schemas/posterior.ts';
import type { Product } from '../engine/scan.ts';
import type { Tensors } from '../noisy-forward.ts';
import { cooled } from '../posterior.ts';
import { type Slot, slotsOf } from './plain-network.ts';

/** Products with weights through which gradients pass, also where training lets none pass into a variance. */
export const openProduct: Product = (x, weight) => tf.matMul(x as tf.Tensor2D, weight as tf.Tensor2D);

/**
 * Gives every row of a batch its own copy of all learned tensors, so that one backward pass tells the gradient of
 * each row by itself. Training's code then sees a batch axis before the axes it knows: activations are
 * [rows, 1, features], weights [rows, in, out].
 */
export class Copies {
  readonly #posterior: Posterior;
  readonly #slots: readonly Slot[];
  readonly #size: number;

  constructor(posterior: Posterior) {
    this.#posterior = posterior;
    this.#slots = slotsOf(posterior);
    this.#size = this.#slots.reduce((size, { shape }) => size + sizeOf(shape), 0);
  }

  /**
   * The gradient of every row by the learned tensors and by what enters.
   *
   * @param inputs [rows, 1, features]
   * @param total the sum over rows of what each is to be differentiated of
   * @returns byLearned [rows, all learned numbers], laid out as `slotsOf` tells, and byInput [rows, features]
   */
  gradients(
    rows: number,
    inputs: tf.Tensor,
    total: (learned: Tensors, inputs: tf.Tensor) => tf.Tensor,
  ): { readonly byLearned: Float32Array; readonly byInput: Float32Array } {
    const { learned: values } = this.#posterior;
    const found = tf.tidy(() => {
      const copies = this.#slots.map(({ name, shape }) => {
        const matrix = shape.length === 1 ? [1, ...shape] : [...shape];
        const one = tf.tensor((values[name] as { data: Float32Array }).data, [1, ...matrix]);
        return tf.tile(one, [rows, ...matrix.map(() => 1)]);
      });
      const gradients = tf.grads((...[x, ...given]) => {
        const learned = Object.fromEntries(
          this.#slots.map(({ name }, index) => [name, given[index] as tf.Tensor]),
        );
        return total(this.#cooled(learned), x as tf.Tensor) as tf.Scalar;
      })([inputs, ...copies]);
      return gradients.map((gradient) => gradient.dataSync() as Float32Array);
    });
    const [byInput, ...parts] = found as [Float32Array, ...Float32Array[]];
    const byLearned = new Float32Array(rows * this.#size);
    parts.forEach((part, index) => {
      const { from, shape } = this.#slots[index] as Slot;
      const size = sizeOf(shape);
      for (let row = 0; row < rows; row++) {
        byLearned.set(part.subarray(row * size, (row + 1) * size), row * this.#size + from);
      }
    });
    return { byLearned, byInput };
  }

  #cooled(learned: Tensors): Tensors {
    const { family } = this.#posterior;
    const temperature = family === 'bernoulli' ? this.#posterior.temperature : undefined;
    return temperature === undefined ? learned : cooled(learned, tf.scalar(temperature));
  }
}
