import { binary } from '../../schemas/layers/binary.ts';
import { cifar10Binary, cifarAugmentations } from './cifar10-binary.ts';
import { planeInput } from './images.ts';
import { type Recipe, requireKind } from './recipe.ts';
import { residualLayers } from './residual-network.ts';

/**
 * The binary network of the paper with an eighth of the channels and binary weights. Bytes come in as they are, not
 * normalised: the sums of the exported network are whole numbers from its first layer on, and biases make up for the
 * mean.
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
    epochs: 20,
    batchSize: 128,
    learningRate: { shape: 'cosine', from: 0.02, to: 0.0004 },
    temperature: { shape: 'exponential', from: 1, to: 0.05, start: 0.4, end: 0.9 },
    // Sums of up to 13 spikes flow on where a gain is made for one: this keeps currents near the scale 1.
    initialGain: 0.25,
    augment: cifarAugmentations,
  },
};
