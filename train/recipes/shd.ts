import { paperTraining } from './paper.ts';
import type { Recipe } from './recipe.ts';
import { recurrentNetwork } from './recurrent-network.ts';

export const shd: Recipe = {
  name: 'shd',
  summary: "The paper's recurrent spiking network for the Spiking Heidelberg Digits",
  data: {
    name: 'shd:FOLDER',
    facts: { kind: 'events', name: 'shd', shape: [700], classes: 20, longest: 1.37 },
  },

  model: (data) => recurrentNetwork('shd', data, { steps: 100, hidden: [256, 256], perStep: true }),

  training: {
    ...paperTraining,
    epochs: 30,
    batchSize: 32,
    learningRate: { shape: 'cosine', from: 5e-3, to: 5e-4 },
    otherRates: 1,
    scaleRates: 10,
    gainRates: 10,
    penalty: 'current',
    penaltyWeight: 1e-6,
    initialBiasRho: -2,
  },
};
