import type { Engine, PreparedStep } from '../../train/engine/engine.ts';
import { onnxEngine } from '../../train/engine/onnx.ts';
import { type TrainingOptions, trainingOptionsSchema } from '../../train/options.ts';
import { NoiseSource } from '../../train/noise/noise-source.ts';
import { initialPosterior } from '../../train/posterior.ts';
import { initialState } from '../../train/start.ts';
import { stepOf } from '../../train/train.ts';
import { optimiserOf } from '../../train/optimisers/index.ts';
import type { Model } from '../../schemas/model.ts';
import { Random } from '../../schemas/random.ts';
import { type Clock, type Contender, timeOn } from '../harness.ts';
import { nets, type TrainStep } from '../nets.ts';
import { profileGraph } from './engine-profile.ts';

const EXAMPLES = 60_000;
const LEARNING_RATE = 1e-3;

export interface EngineContender extends Contender {
  /** Where the time of the graph goes, by operator. */
  profile(): Promise<string>;
}

/** What a step trains, and on what kind of inputs. */
export interface Trained {
  readonly model: Model;
  readonly options: TrainingOptions;
  /** E[x²] of the inputs, and the probability of a 1 where they are spikes. */
  readonly power: number;
  readonly spikes: boolean;
}

/** The same step on an engine of ours: by default traced into one ONNX graph and run by onnxruntime. */
export const engineTrainStep = async (
  wanted: TrainStep,
  engine: Engine = onnxEngine({ threads: wanted.threads }),
  clock: Clock = 'wall',
): Promise<EngineContender> => {
  const { net, threads, batch, kl, penalty, posterior } = wanted;
  const { power, spikes } = nets[net];
  const options = trainingOptionsSchema.parse({
    learningRate: LEARNING_RATE,
    otherRates: 1,
    divergenceWeight: kl ? 1 : 0,
    penalty,
    batchSize: batch,
    posterior: { family: posterior },
    initialBiasRho: -2,
  });
  const trained: Trained = { model: nets[net].model(wanted), options, power, spikes };
  return engineContender(trained, { engine, threads, clock });
};

/** A step of any network on one random batch. */
export function engineContender(
  { model, options, power, spikes }: Trained,
  { engine, threads, clock }: { readonly engine: Engine; readonly threads: number; readonly clock: Clock },
): EngineContender {
  const step = stepOf(model, options);
  const [batch, classes] = step.feeds.targets as [number, number];
  const noise = NoiseSource.fromSeed(1, 'noise');
  const start = initialState(
    initialPosterior(
      model,
      {
        spread: 0.5,
        gain: typeof options.initialGain === 'number' ? options.initialGain : 1,
        biasRho: options.initialBiasRho,
        inputPower: power,
        seed: 1,
      },
      options.posterior,
    ),
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
      temperature: 1,
      noiseScale: 1,
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
      for (let index = 0; index < inputs.length; index++) {
        const uniform = random.nextUniform();
        inputs[index] = spikes ? Number(uniform < power) : uniform;
      }
      const targets = prepared.feeds.targets!;
      for (let row = 0; row < batch; row++) targets[row * classes + random.nextBelow(classes)] = 1;
    },
    async steps(count) {
      const times: number[] = [];
      for (let index = 0; index < count; index++) {
        const start = timeOn(clock);
        await runStep(prepared!);
        times.push(timeOn(clock) - start);
      }
      return times;
    },
    profile: () => profileGraph(step, start, threads),
    close: async () => prepared?.close(),
  };
}
