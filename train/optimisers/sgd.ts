import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { named, type Optimiser } from './optimiser.ts';

export const sgdSchema = z
  .strictObject({
    kind: z.literal('sgd'),
    momentum: z.number().min(0).lt(1).default(0.9).meta({ description: 'How much of the velocity stays.' }),
    nesterov: z.boolean().default(false).meta({ description: 'Looks one step of the velocity ahead.' }),
  })
  .refine(({ momentum, nesterov }) => !nesterov || momentum > 0, {
    path: ['nesterov'],
    error: 'looks ahead along the momentum; expected a momentum above 0',
  });

/**
 * Stochastic gradient descent with momentum μ (Sutskever et al. 2013, in the form whose velocity has no rate in
 * it, so that a rate which falls acts at once):
 *
 *     v ← μ v + g     x ← x − rate · v     Nesterov's: x ← x − rate · (g + μ v)
 */
export const sgd = ({ momentum, nesterov }: z.output<typeof sgdSchema>): Optimiser => ({
  keeps: ['sgd.velocity'],
  numbersAt: () => ({ rateFactor: 1, scalars: {} }),
  move({ value, kept }, gradient, rate) {
    const velocity = tf.add(tf.mul(named(kept, 'sgd.velocity'), momentum), gradient);
    const direction = nesterov ? tf.add(gradient, tf.mul(velocity, momentum)) : velocity;
    return { value: tf.sub(value, tf.mul(direction, rate)), kept: { 'sgd.velocity': velocity } };
  },
});
