import { binary } from '../../schemas/layers/binary.ts';
import { normalise } from '../../schemas/layers/normalise.ts';
import type { TrainingSettings } from '../options.ts';
import type { ImageFacts } from './facts.ts';
import { planeInput } from './images.ts';
import { paperTraining } from './paper.ts';
import { type Recipe, requireKind } from './recipe.ts';
import { residualLayers } from './residual-network.ts';

const facts: ImageFacts = {
  kind: 'images',
  name: 'cifar10',
  shape: [32, 32, 3],
  classes: 10,
  scale: 1 / 255,
  channels: () => ({ mean: [0.4914, 0.4822, 0.4465], deviation: [0.247, 0.2435, 0.2616] }),
};

/** Padding of four pixels and a mirror: what the field calls its standard augmentation. */
export const cifarAugmentations = [
  { kind: 'crop', padding: 4, fill: 'zero', channels: 'last' },
  { kind: 'flip', probability: 0.5, channels: 'last' },
] satisfies TrainingSettings['augment'];

export const cifar10Binary: Recipe = {
  name: 'cifar10-binary',
  summary: "The paper's binary network of 25 convolutions for CIFAR-10; for a large machine",
  data: { name: 'cifar10:FOLDER', facts },

  model(data) {
    const images = requireKind('cifar10-binary', data, ['images']);
    const stages = [64, 128, 256, 512].map((filters) => ({ filters, pairs: 3 }));
    return {
      input: planeInput('cifar10-binary', images),
      layers: [normalise(images.channels()), ...residualLayers(stages, binary(), images.classes)],
    };
  },

  training: {
    ...paperTraining,
    epochs: 200,
    batchSize: 256,
    learningRate: { shape: 'cosine', from: 5e-3, to: 1e-4 },
    otherRates: 1,
    scaleRates: 10,
    penalty: 'current',
    penaltyWeight: 1e-8,
    initialBiasRho: -1,
    augment: cifarAugmentations,
  },
};
