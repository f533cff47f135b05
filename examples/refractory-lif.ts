/** A neuron of one's own: leaky integrate-and-fire that rests after every spike. */
import { defineLayer, registerLayer, type Shape } from 'bitspike';
import { z } from 'zod';

/** Names of the states that hold the spikes of the last steps, the newest first: a delay line. */
const delayLine = (steps: number): string[] => Array.from({ length: steps }, (_, age) => `spikes${age + 1}`);

/**
 * LIF neuron with a refractory period: for so many steps after a spike it rests, and what comes in then is lost.
 *
 *     R_t = s_(t−1) + … + s_(t−rest)               1 while it rests, else 0
 *     U_t = decay U_(t−1) + I_t                    s_t = [U_t − barrier R_t > threshold]
 *     U_t ← U_t (1 − R_t) − threshold s_t
 *
 * The barrier is more than any current, and many standard deviations of the noise that a membrane has in training.
 */
export const refractoryLif = registerLayer(
  defineLayer({
    kind: 'refractoryLif',
    takes: 'current',
    gives: 'signal',

    options: z.strictObject({
      rest: z.int().positive().default(2).meta({ description: 'Steps without a spike after one.' }),
      decay: z.number().gt(0).lt(1).default(0.9).meta({
        description: 'Part of the membrane that is left after one step.',
      }),
      threshold: z.number().positive().default(1).meta({
        description: 'Membrane above which the neuron fires.',
      }),
      barrier: z.number().min(0).default(10).meta({
        description: 'What the threshold is raised by while the neuron rests.',
      }),
    }),

    // The output has the shape of the input; nothing is learned.
    outputShape: (_options, input) => input,
    parameters: () => ({}),

    // How many states there are depends on the options.
    state: ({ rest }, input): Record<string, Shape> => ({
      membrane: input,
      ...Object.fromEntries(delayLine(rest).map((name) => [name, input])),
    }),

    step(ops, { rest, decay, threshold, barrier }, _parameters, state, current) {
      const names = delayLine(rest);
      // The type of a state that depends on options is a record, of which any entry might be missing.
      const past = names.map((name) => state[name] as typeof current);
      const resting = past.reduce((sum, spikes) => ops.add(sum, spikes));

      const charged = ops.add(ops.leak(state.membrane as typeof current, decay), current);
      const driven = ops.add(charged, ops.multiply(resting, -barrier));
      const spikes = ops.spike(driven, threshold, current);

      // `reset` to zero is a product with 1 − R: all of the membrane where the neuron is awake, nothing where it rests.
      const kept = ops.reset(charged, resting, threshold, 'zero');
      const membrane = ops.reset(kept, spikes, threshold, 'subtract');

      // The line moves by one step.
      const moved = names.map((name, age) => [name, age === 0 ? spikes : past[age - 1]] as const);
      return [spikes, { ...Object.fromEntries(moved), membrane }];
    },
  }),
);
