import { dvsGesture } from './dvs-gesture.ts';
import { cameraFrames } from './images.ts';
import { paperNeuron } from './paper.ts';
import { type Recipe, requireKind } from './recipe.ts';
import { residualLayers } from './residual-network.ts';

export const dvsGestureSmall: Recipe = {
  name: 'dvs-gesture-small',
  summary: 'Seven convolutions of 8, 16 and 32 channels with binary weights; for two cores',
  data: dvsGesture.data,

  model(data) {
    const events = requireKind('dvs-gesture-small', data, ['events', 'sequences']);
    const stages = [8, 16, 32].map((filters) => ({ filters, pairs: 1 }));
    return {
      ...cameraFrames('dvs-gesture-small', events, { steps: 20, side: 32 }),
      layers: residualLayers(stages, paperNeuron, events.classes),
    };
  },

  training: {
    epochs: 30,
    batchSize: 16,
    learningRate: { shape: 'cosine', from: 0.02, to: 0.0004 },
    temperature: { shape: 'exponential', from: 1, to: 0.05, start: 0.4, end: 0.9 },
  },
};
