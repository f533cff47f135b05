import { binary } from '../../schemas/layers/binary.ts';
import { cifar10Binary, cifarAugmentations } from './cifar10-binary.ts';
import { planeInput } from './images.ts';
import { paperTraining } from './paper.ts';
import { type Recipe, requireKind } from './recipe.ts';
import { residualLayers } from './residual-network.ts';

/**
 * The binary network of the paper with an eighth of the channels. Bytes come in as they are, not normalised: the sums
 * of the exported network are whole numbers from its first layer on, and biases make up for the mean.
 *
 * Spikes add up on the way through the pairs, so that later neurons see mostly what all images have in common: gains
 * and biases start from the data, and a stronger penalty than the paper's keeps currents near 0 from there.
 */
export const cifar10Small: Recipe = {
  name: 'cifar10-small',
  summary: 'The same 25 convolutions, narrowed; for two cores',
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
    ...paperTraining,
    epochs: 40,
    batchSize: 128,
    learningRate: { shape: 'cosine', from: 5e-3, to: 1e-4 },
    otherRates: 1,
    initialGain: { kind: 'data', scale: 1, centre: true },
    penalty: 'current',
    penaltyWeight: 1e-6,
    augment: cifarAugmentations,
  },
};
