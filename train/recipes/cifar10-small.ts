import { binary } from '../../schemas/layers/binary.ts';
import { cifar10Binary, cifarAugmentations } from './cifar10-binary.ts';
import { planeInput } from './images.ts';
import { type Recipe, requireKind } from './recipe.ts';
import { residualLayers } from './residual-network.ts';

/**
 * The binary network of the paper with an eighth of the channels and binary weights. Bytes come in as they are, not normalised: the sums
 * of the exported network are whole numbers from its first layer on, and biases make up for the mean.
 *
 * Spikes add up on the way through the pairs, so that later neurons see mostly what all images have in common: gains
 * and biases start from the data, and a stronger penalty than the paper's keeps currents near 0 from there. Through 25
 * layers a signal drowns in noise, so weights start rather sure and draws are scaled down.
 */
export const cifar10Small: Recipe = {
  name: 'cifar10-small',
  summary: 'The same 25 convolutions, narrowed, with binary weights; for two cores',
  data: cifar10Binary.data,

  model(data) {
    const images = requireKind('cifar10-small', data, ['images']);
    const stages = [8, 16, 32, 64].map((filters) => ({ filters, pairs: 3 }));
    return {
      input: planeInput('cifar10-small', images),
      layers: residualLayers(stages, binary(), images.classes),
    };
  },

  training: {
    epochs: 40,
    batchSize: 128,
    learningRate: { shape: 'cosine', from: 0.02, to: 0.0004 },
    initialGain: { kind: 'data', scale: 1, centre: true },
    initialSpread: 2,
    penalty: 'current',
    penaltyWeight: 1e-6,
    temperature: { shape: 'exponential', from: 1, to: 0.05, start: 0.4, end: 0.9 },
    drawScale: { shape: 'linear', from: 0.3, to: 0, start: 0.4, end: 0.9 },
    augment: cifarAugmentations,
  },
};
