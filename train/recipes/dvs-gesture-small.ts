import { conv2d } from '../../schemas/layers/conv2d.ts';
import { dense } from '../../schemas/layers/dense.ts';
import { flatten } from '../../schemas/layers/flatten.ts';
import { lif } from '../../schemas/layers/lif.ts';
import { readout } from '../../schemas/layers/readout.ts';
import { dvsGesture } from './dvs-gesture.ts';
import { cameraFrames } from './images.ts';
import { type Recipe, requireKind } from './recipe.ts';

/**
 * Where a hand moves tells one gesture from another, so the plane is flattened rather than averaged. Each convolution
 * halves it at once, which is less work than to pool afterwards.
 */
export const dvsGestureSmall: Recipe = {
  name: 'dvs-gesture-small',
  summary: 'Three convolutions of 24, 48 and 96 channels with binary weights; for two cores',
  data: dvsGesture.data,

  model(data) {
    const events = requireKind('dvs-gesture-small', data, ['events', 'sequences']);
    const neuron = lif({ decay: 0.9, learnDecay: true, learnThreshold: true });
    return {
      ...cameraFrames('dvs-gesture-small', events, { steps: 49, side: 32 }),
      layers: [
        ...[24, 48, 96].flatMap((filters) => [conv2d({ filters, size: 3, stride: 2 }), neuron]),
        flatten(),
        dense({ units: events.classes }),
        readout(),
      ],
    };
  },

  training: {
    epochs: 40,
    batchSize: 16,
    learningRate: { shape: 'cosine', from: 0.02, to: 0.0005 },
    otherRates: 0.5,
    initialBiasRho: -2,
    penalty: 'membrane',
    penaltyWeight: 1e-8,
    // First many networks, then one: the weights settle, and the noise leaves the forward pass.
    temperature: { shape: 'exponential', from: 1, to: 0.1, start: 0.3, end: 0.85 },
    drawScale: { shape: 'linear', from: 1, to: 0, start: 0.2, end: 0.7 },
    augment: [{ kind: 'shift', most: 3 }],
  },
};
