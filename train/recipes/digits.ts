import { sizeOf } from '../../schemas/layer.ts';
import { binary } from '../../schemas/layers/binary.ts';
import { dense } from '../../schemas/layers/dense.ts';
import { readout } from '../../schemas/layers/readout.ts';
import { type Recipe, requireKind } from './recipe.ts';

export const digits: Recipe = {
  name: 'digits',
  summary: 'Two hidden layers of binary neurons and weights, for MNIST and its like; what the demo trains',
  data: {
    name: 'mnist',
    facts: {
      kind: 'images',
      name: 'mnist',
      shape: [28, 28],
      classes: 10,
      scale: 1 / 255,
      channels: () => ({ mean: [0.1307], deviation: [0.3081] }),
    },
  },

  model(data) {
    const { shape, scale, classes } = requireKind('digits', data, ['images']);
    return {
      input: { type: 'uint8', shape: [sizeOf(shape)], scale },
      layers: [
        dense({ units: 512 }),
        binary(),
        dense({ units: 512 }),
        binary(),
        dense({ units: classes }),
        readout(),
      ],
    };
  },

  training: { epochs: 20, shift: 1 },
};
