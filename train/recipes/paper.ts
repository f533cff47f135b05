import { lif } from '../../schemas/layers/lif.ts';
import type { TrainingSettings } from '../options.ts';

/**
 * What the paper's three networks have in common (arXiv 2505.17962): Gaussian weights, one deviation per layer. They
 * start from μ uniform in ±1/√fan-in, σ = 0.5/√fan-in, gain 1 and bias 0, as Gaussian weights always do here.
 */
export const paperTraining = {
  posterior: { family: 'gaussian', scale: 'layer', prior: 1 },
  optimiser: { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  estimator: { kind: 'importanceWeighted', mix: 0, noise: 'gaussian' },
  divergenceWeight: 0,
  initialGain: 1,
} satisfies TrainingSettings;

/** θ = 1, a time constant of softplus(10) steps, and a spike takes θ off its membrane. */
export const paperNeuron = lif({
  threshold: 1,
  decay: Math.exp(-1 / Math.log1p(Math.exp(10))),
  reset: 'subtract',
});
