import type { Recipe } from './recipe.ts';
import { recurrentNetwork } from './recurrent-network.ts';
import { shd } from './shd.ts';

export const shdSmall: Recipe = {
  name: 'shd-small',
  summary: 'The same network with binary weights, cooled, on varied recordings; for two cores',
  data: shd.data,

  model: (data) => recurrentNetwork('shd-small', data, { steps: 100, hidden: [256, 256] }),

  training: {
    epochs: 15,
    batchSize: 32,
    learningRate: { shape: 'cosine', from: 0.02, to: 0.0004 },
    temperature: { shape: 'exponential', from: 1, to: 0.05, start: 0.4, end: 0.9 },
    initialBiasRho: -2,
    augment: [
      { kind: 'channelShift', most: 20 },
      { kind: 'timeShift', most: 0.07 },
      { kind: 'drop', probability: 0.1 },
    ],
  },
};
