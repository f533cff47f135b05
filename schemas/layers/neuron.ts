import { z } from 'zod';
import { UserError } from '../errors.ts';
import type { Parameter, Shape } from '../layer.ts';

/** Part of something that is left after one step. */
export const decaySchema = (description: string) => z.number().gt(0).lt(1).meta({ description });

/** Options of a membrane that leaks. */
export const membraneOptions = {
  // A time constant of ten steps.
  decay: decaySchema('Part of the membrane that is left after one step.').default(Math.exp(-1 / 10)),
  learnDecay: z.boolean().default(false).meta({
    description: 'Whether each channel learns its decay, from the one given.',
  }),
  decaySpread: z.number().min(1).default(1).meta({
    description:
      'Learned decays start with time constants from so many times shorter to so many times longer than the one given, drawn log-uniformly; 1 starts all alike.',
  }),
};

/** Options of a neuron that fires. */
export const firingOptions = {
  threshold: z.number().default(1).meta({ description: 'Membrane above which the neuron fires.' }),
  learnThreshold: z.boolean().default(false).meta({
    description: 'Whether each channel learns its threshold, from the one given.',
  }),
  reset: z.enum(['subtract', 'zero', 'none']).default('subtract').meta({
    description: 'What a spike does to its membrane: takes the threshold off, empties it, or nothing.',
  }),
  detachReset: z.boolean().default(false).meta({
    description: 'Whether gradients leave out the way through the reset.',
  }),
};

/** What a neuron can learn, each a number per channel; nothing of it where the options do not ask for it. */
interface Learnable {
  readonly decay?: number;
  readonly learnDecay?: boolean;
  readonly decaySpread?: number;
  readonly threshold?: number;
  readonly learnThreshold?: boolean;
}

/** The `decay` and `threshold` that a neuron learns as points. @throws UserError for a spread of decays that are not learned */
export function learnedPoints(options: Learnable, input: Shape): Record<string, Parameter> {
  const { decay, learnDecay, decaySpread = 1, threshold, learnThreshold } = options;
  if (decaySpread > 1 && !learnDecay) {
    throw new UserError('decaySpread spreads decays that are learned; set learnDecay too, or leave it out');
  }
  const point = { shape: input.slice(-1), fanIn: 1 };
  return {
    ...(learnDecay &&
      decay !== undefined && { decay: { ...point, role: 'decay', start: decay, spread: decaySpread } }),
    ...(learnThreshold &&
      threshold !== undefined && { threshold: { ...point, role: 'threshold', start: threshold } }),
  };
}
