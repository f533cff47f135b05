import { lif } from '../../schemas/layers/lif.ts';
import type { Recipe } from './recipe.ts';
import { recurrentNetwork } from './recurrent-network.ts';
import { shd } from './shd.ts';

export const shdSmall: Recipe = {
  name: 'shd-small',
  summary:
    'Recurrent layers with binary weights and learned time constants, on varied recordings; for two cores',
  data: shd.data,

  model: (data) =>
    recurrentNetwork('shd-small', data, {
      steps: 100,
      downsample: 5,
      hidden: [384, 384],
      neuron: lif({ decay: 0.95, learnDecay: true, decaySpread: 3, learnThreshold: true }),
    }),

  training: {
    epochs: 40,
    batchSize: 32,
    learningRate: { shape: 'cosine', from: 0.02, to: 0.0005 },
    otherRates: 0.5,
    // Few inputs and neurons fire at a time: with gains of the usual size the second layer would hardly start.
    initialGain: 2,
    initialBiasRho: 0,
    penalty: 'current',
    penaltyWeight: 1e-6,
    // First many networks, then one: the weights settle, and the noise leaves the forward pass.
    temperature: { shape: 'exponential', from: 1, to: 0.1, start: 0.3, end: 0.85 },
    drawScale: { shape: 'linear', from: 1, to: 0, start: 0.2, end: 0.7 },
    augment: [
      { kind: 'channelShift', most: 20 },
      { kind: 'timeShift', most: 0.035 },
      { kind: 'drop', probability: 0.1 },
    ],
  },
};
