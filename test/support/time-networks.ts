/** Small networks over time, one of every kind of layer that has a state. */
import {
  adaptiveLif,
  averagePool,
  binary,
  conv2d,
  cubaLif,
  dense,
  flatten,
  integrateAndFire,
  leakyIntegrator,
  lif,
  type ModelDefinition,
  readout,
  recurrent,
  residual,
} from '../../schemas/index.ts';

const spikes = { type: 'uint8', shape: [13], scale: 1 } as const;

export const timeNetworks: Readonly<Record<string, ModelDefinition>> = {
  'integrate and fire, mean': {
    input: spikes,
    steps: 7,
    layers: [dense({ units: 9 }), integrateAndFire(), dense({ units: 5 }), readout()],
  },
  'LIF of every reset, largest': {
    input: { type: 'uint8', shape: [13], scale: 1 / 255 },
    steps: 11,
    layers: [
      dense({ units: 9 }),
      lif({ threshold: 0.7, decay: 0.9, learnDecay: true, learnThreshold: true }),
      dense({ units: 6 }),
      lif({ reset: 'zero' }),
      dense({ units: 6 }),
      lif({ reset: 'none' }),
      dense({ units: 5 }),
      readout({ over: 'maximum' }),
    ],
  },
  'adaptive LIF, last': {
    input: spikes,
    steps: 8,
    layers: [
      dense({ units: 9 }),
      adaptiveLif({ adaptation: 0.4 }),
      dense({ units: 5 }),
      readout({ over: 'last' }),
    ],
  },
  'LIF with synapses, leaky integrator': {
    input: spikes,
    steps: 8,
    layers: [dense({ units: 9 }), cubaLif(), dense({ units: 5 }), leakyIntegrator(), readout()],
  },
  'recurrent layers': {
    input: spikes,
    steps: 8,
    layers: [
      recurrent({ units: 9, neuron: lif({ threshold: 0.5 }) }),
      recurrent({ units: 7, neuron: adaptiveLif({ reset: 'zero' }) }),
      dense({ units: 5 }),
      readout(),
    ],
  },
  'planes and residual blocks': {
    input: { type: 'uint8', shape: [6, 6, 2], scale: 1 },
    steps: 6,
    layers: [
      conv2d({ filters: 4, size: 3 }),
      lif({ threshold: 0.8, learnDecay: true }),
      residual({
        layers: [
          conv2d({ filters: 5, size: 3, stride: 2 }),
          lif(),
          conv2d({ filters: 5, size: 3 }),
          binary(),
        ],
      }),
      averagePool({ size: 3 }),
      conv2d({ filters: 3, size: 1 }),
      adaptiveLif(),
      flatten(),
      dense({ units: 4 }),
      readout({ over: 'maximum' }),
    ],
  },
};
