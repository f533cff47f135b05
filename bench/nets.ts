import { binary, conv2d, defineModel, dense, flatten, lif, type Model, readout } from '../schemas/index.ts';
import type { PenaltyForm } from '../train/objective.ts';

/** Numbers that decide how large a net is. */
export interface Size {
  readonly batch: number;
  /** Time steps of an example; 1 where there is no time. */
  readonly time: number;
  /** Units of each hidden layer, or filters. */
  readonly hidden: readonly number[];
}

/** What one training step trains, and on what terms: the same for ours and for every peer. */
export interface TrainStep extends Size {
  readonly net: NetName;
  readonly threads: number;
  readonly posterior: 'bernoulli' | 'gaussian';
  /** Adds the KL term, weight 1 / 60,000. */
  readonly kl: boolean;
  /** Adds a penalty, weight 10⁻⁶. */
  readonly penalty: PenaltyForm | 'none';
}

interface Net extends Pick<TrainStep, 'batch' | 'time' | 'hidden' | 'posterior' | 'penalty'> {
  /** E[x²] of the input, and the probability of a 1 where it is spikes. */
  readonly power: number;
  readonly spikes: boolean;
  readonly classes: number;
  readonly model: (size: Size) => Model;
}

export const nets = {
  /** Binary, dense: 784-512-512-10. */
  A: {
    batch: 128,
    time: 1,
    hidden: [512, 512],
    posterior: 'bernoulli',
    penalty: 'none',
    power: 1 / 3,
    spikes: false,
    classes: 10,
    model: ({ hidden }) =>
      defineModel({
        input: [784],
        layers: [...hidden.flatMap((units) => [dense({ units }), binary()]), dense({ units: 10 }), readout()],
      }),
  },
  /** Spiking: 700-256-256-20 leaky integrate-and-fire neurons, 100 time steps. */
  B: {
    batch: 32,
    time: 100,
    hidden: [256, 256],
    posterior: 'gaussian',
    penalty: 'current',
    power: 0.05,
    spikes: true,
    classes: 20,
    model: ({ hidden, time }) =>
      defineModel({
        input: [700],
        steps: time,
        layers: [
          ...hidden.flatMap((units) => [dense({ units }), lif({ decay: 0.9 })]),
          dense({ units: 20 }),
          readout(),
        ],
      }),
  },
  /** Binary, convolutional: 28 × 28, 32 filters of 3 × 3, 64 of stride 2, dense 10. */
  C: {
    batch: 64,
    time: 1,
    hidden: [32, 64],
    posterior: 'bernoulli',
    penalty: 'none',
    power: 1 / 3,
    spikes: false,
    classes: 10,
    model: ({ hidden: [first = 0, second = 0] }) =>
      defineModel({
        input: [28, 28, 1],
        layers: [
          conv2d({ filters: first, size: 3 }),
          binary(),
          conv2d({ filters: second, size: 3, stride: 2 }),
          binary(),
          flatten(),
          dense({ units: 10 }),
          readout(),
        ],
      }),
  },
} as const satisfies Record<string, Net>;

export type NetName = keyof typeof nets;

/** A step of a net as it is, but for what is given. */
export function trainStepOf(net: NetName, given: Partial<TrainStep> = {}): TrainStep {
  const { batch, time, hidden, posterior, penalty } = nets[net];
  return { net, threads: 1, batch, time, hidden, posterior, penalty, kl: false, ...given };
}
