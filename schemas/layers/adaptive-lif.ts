import { z } from 'zod';
import { defineLayer } from '../layer.ts';
import { fire } from './fire.ts';
import { decaySchema, firingOptions, learnedPoints, membraneOptions } from './neuron.ts';

/**
 * Leaky integrate-and-fire neuron that tires: every spike raises its threshold by `adaptation`, which then decays
 * (Bellec et al. 2018, arXiv 1803.09574):
 *
 *     U_t = decay ⊙ U_(t−1) + I_t      A_t = adaptationDecay · A_(t−1) + s_(t−1)
 *     s_t = [U_t − adaptation · A_t > threshold]      U_t ← U_t − threshold ⊙ s_t
 *
 * or another reset. Output has the shape of the input.
 */
export const adaptiveLif = defineLayer({
  kind: 'adaptiveLif',
  takes: 'current',
  gives: 'signal',

  options: z.strictObject({
    ...membraneOptions,
    adaptation: z.number().min(0).default(0.2).meta({
      description: 'What a spike adds to the threshold of its neuron.',
    }),
    adaptationDecay: decaySchema('Part of what was added that is left after one step.').default(
      Math.exp(-1 / 50),
    ),
    ...firingOptions,
  }),

  outputShape: (_options, input) => input,
  parameters: learnedPoints,
  state: (_options, input) => ({ membrane: input, tiredness: input, spikes: input }),

  step(ops, options, learned, state, current) {
    const { decay = options.decay, threshold = options.threshold } = learned;
    const charged = ops.add(ops.leak(state.membrane, decay), current);
    const tiredness = ops.add(ops.leak(state.tiredness, options.adaptationDecay), state.spikes);
    const barrier = ops.multiply(tiredness, options.adaptation);
    const [spikes, membrane] = fire(ops, { ...options, threshold }, charged, current, barrier);
    return [spikes, { membrane, tiredness, spikes }];
  },
});
