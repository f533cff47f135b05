import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { named, type Optimiser } from './optimiser.ts';

export const adamSchema = z.strictObject({
  kind: z.literal('adam'),
  beta1: z.number().min(0).lt(1).default(0.9).meta({ description: 'How much of the mean gradient stays.' }),
  beta2: z.number().min(0).lt(1).default(0.999).meta({ description: 'How much of the mean square stays.' }),
  epsilon: z.number().positive().default(1e-8).meta({ description: 'Added to the root mean square.' }),
});

/**
 * Adam (Kingma and Ba 2015), arranged so that a step makes few passes over memory.
 *
 * It keeps the moments unnormalised, M ← β₁ M + g and V ← β₂ V + g², and moves the constants and the bias
 * corrections into two numbers that are computed once a step:
 *
 *     m̂ = M (1−β₁)/(1−β₁ᵗ)     √v̂ = c √V,  c = √((1−β₂)/(1−β₂ᵗ))
 *     x ← x − rate · m̂/(√v̂ + ε) = x − [rate (1−β₁)/((1−β₁ᵗ) c)] · M/(√V + ε/c)
 */
export const adam = ({ beta1, beta2, epsilon }: z.output<typeof adamSchema>): Optimiser => ({
  keeps: ['adam.first', 'adam.second'],
  numbersAt(step) {
    const c = Math.sqrt((1 - beta2) / (1 - beta2 ** step));
    const rateFactor = (1 - beta1) / ((1 - beta1 ** step) * c);
    return { rateFactor, scalars: { 'adam.epsilon': epsilon / c } };
  },
  move({ value, kept }, gradient, rate, scalars) {
    const first = tf.add(tf.mul(named(kept, 'adam.first'), beta1), gradient);
    const second = tf.add(tf.mul(named(kept, 'adam.second'), beta2), tf.square(gradient));
    const direction = tf.div(first, tf.add(tf.sqrt(second), named(scalars, 'adam.epsilon')));
    return {
      value: tf.sub(value, tf.mul(direction, rate)),
      kept: { 'adam.first': first, 'adam.second': second },
    };
  },
});
