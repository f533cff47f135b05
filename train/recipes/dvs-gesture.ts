import type { EventFacts } from './facts.ts';
import { cameraFrames } from './images.ts';
import { paperNeuron, paperTraining } from './paper.ts';
import { perStepOf, type Recipe, requireKind } from './recipe.ts';
import { residualLayers } from './residual-network.ts';

const facts: EventFacts = {
  kind: 'events',
  name: 'dvs-gesture',
  shape: [2, 128, 128],
  classes: 11,
  // Frames of equally many events need no duration.
  longest: 6,
};

export const dvsGesture: Recipe = {
  name: 'dvs-gesture',
  summary: "The paper's spiking network of 19 convolutions for DVS128 Gesture; for a large machine",
  data: { name: 'dvs-gesture:FOLDER', facts },

  model(data) {
    const events = requireKind('dvs-gesture', data, ['events', 'sequences']);
    const stages = [32, 64, 128].map((filters) => ({ filters, pairs: 3 }));
    const input = cameraFrames('dvs-gesture', events, { steps: 49, side: 32 });
    return {
      ...input,
      layers: residualLayers(stages, paperNeuron, events.classes, perStepOf(true, input)),
    };
  },

  training: {
    ...paperTraining,
    epochs: 70,
    batchSize: 16,
    learningRate: { shape: 'cosine', from: 5e-3, to: 1e-4 },
    otherRates: 1,
    scaleRates: 10,
    penalty: 'membrane',
    penaltyWeight: 1e-10,
    initialBiasRho: -1,
  },
};
