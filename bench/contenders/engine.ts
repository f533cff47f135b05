import type { Engine, PreparedStep } from '../../train/engine/engine.ts';
import { onnxEngine } from '../../train/engine/onnx.ts';
import { trainingOptionsSchema } from '../../train/options.ts';
import { NoiseSource } from '../../train/noise/noise-source.ts';
import { initialPosterior } from '../../train/posterior.ts';
import { initialState, stepOf } from '../../train/train.ts';
import { optimiserOf } from '../../train/optimisers/index.ts';
import { binary, defineModel, dense, readout } from '../../schemas/index.ts';
import { Random } from '../../schemas/random.ts';
import type { Contender } from '../harness.ts';
import type { TrainStep } from '../train-step.ts';
import { profileGraph } from './engine-profile.ts';

/** Net A: 784-512-512-10, binary weights and activations. */
const netA = defineModel({
  input: [784],
  layers: [dense({ units: 512 }), binary(), dense({ units: 512 }), binary(), dense({ units: 10 }), readout()],
});

const EXAMPLES = 60_000;
const LEARNING_RATE = 1e-3;

export interface EngineContender extends Contender {
  /** Where the time of the graph goes, by operator. */
  profile(): Promise<string>;
}

/** The same step on an engine of ours: by default traced into one ONNX graph and run by onnxruntime. */
export const engineTrainStep = async (
  { threads, kl, penalty }: TrainStep,
  engine: Engine = onnxEngine({ threads }),
): Promise<EngineContender> => {
  const options = trainingOptionsSchema.parse({
    learningRate: LEARNING_RATE,
    otherRates: 1,
    divergenceWeight: kl ? 1 : 0,
    penalty: penalty ? 'membrane' : 'none',
  });
  const step = stepOf(netA, options);
  const noise = NoiseSource.fromSeed(1, 'noise');
  const start = initialState(
    initialPosterior(netA, { spread: 0.5, biasRho: -2, inputPower: 1 / 3, seed: 1 }),
    options.optimiser,
  );
  let prepared: PreparedStep | undefined;
  let taken = 0;

  const runStep = async (ready: PreparedStep): Promise<void> => {
    // Noise is drawn afresh in every step, and the drawing is part of its time.
    for (const name of step.noises) noise.fillGaussian(ready.feeds[name]!);
    const { rateFactor, scalars: numbers } = optimiserOf(options.optimiser).numbersAt(++taken);
    const rate = LEARNING_RATE * rateFactor;
    const scalars = {
      'rate.weights': rate,
      'rate.scales': rate,
      'rate.gains': rate,
      'rate.biases': rate,
      'rate.neurons': rate,
      ...numbers,
      divergenceWeight: 1 / EXAMPLES,
      penaltyWeight: 1e-6,
    };
    for (const [name, value] of Object.entries(scalars)) ready.feeds[name]![0] = value;
    await ready.run();
  };

  return {
    name: 'bitspike',
    async prepare() {
      prepared = await engine.prepare(step, start, ['loss']);
      const random = Random.fromSeed(1, 'batch');
      const inputs = prepared.feeds.inputs!;
      for (let index = 0; index < inputs.length; index++) inputs[index] = random.nextUniform();
      const targets = prepared.feeds.targets!;
      for (let row = 0; row < targets.length / 10; row++) targets[row * 10 + random.nextBelow(10)] = 1;
    },
    async steps(count) {
      const times: number[] = [];
      for (let index = 0; index < count; index++) {
        const start = performance.now();
        await runStep(prepared!);
        times.push(performance.now() - start);
      }
      return times;
    },
    profile: () => profileGraph(step, start, threads),
    close: async () => prepared?.close(),
  };
};
