import * as tf from '@tensorflow/tfjs-core';
import { sizeOf } from '../schemas/layer.ts';
import { forward, type Model, stepsOf } from '../schemas/model.ts';
import type { OverTime } from '../schemas/ops.ts';
import { throughSegments } from './engine/segments.ts';
import { type Measure, type Moments, momentsOps, type MomentsOptions } from './moments.ts';
import { drawsOf, type NoisyAnswer, type NoisyOptions, tensor, type Tensors } from './noisy-forward.ts';
import { joinedParts, partsInTime } from './per-step.ts';
import { parameterMoments } from './posterior.ts';
import { flatAll, formsOf, unflatAll } from './scan-moments.ts';

const next = (from: Iterator<tf.Tensor>): tf.Tensor => from.next().value as tf.Tensor;

/** What a segment of a sequence runs on. */
interface Segment {
  readonly parameters: Readonly<Record<string, Moments>>;
  readonly inputs: tf.Tensor;
  readonly noises: readonly tf.Tensor[];
  readonly noiseScale: tf.Tensor | undefined;
  /** Gives a layer with a state what it begins with. */
  readonly take: (zeros: readonly tf.Tensor[]) => readonly tf.Tensor[];
}

/**
 * As `noisyForward`, segment by segment: the whole network goes through `every` steps, then through the next, and what
 * its layers carry goes on. The gradient keeps the states between segments and computes the rest anew, so that what
 * lives at a time is what one segment needs. Inputs, noise and answers are those of all steps.
 *
 * @param every steps of a segment, a divisor of those of the model
 */
export function segmentedForward(
  options: NoisyOptions,
  every: number,
  learned: Tensors,
  fed: Tensors,
  measure?: Measure,
): NoisyAnswer {
  const { model, estimator, posterior, annealing, noise: span } = options;
  const count = stepsOf(model) / every;
  const segment: Model = { ...model, steps: every };
  const inputs = tensor(fed, 'inputs');
  const batch = (inputs.shape[0] as number) / stepsOf(model);
  /** What is of all steps, as what is of each segment. */
  const inSegments = (x: tf.Tensor, shape: readonly number[]): tf.Tensor => tf.reshape(x, [count, ...shape]);

  const draws = drawsOf(segment, batch, estimator, span).map(({ name, shape }) => {
    const all = tensor(fed, name);
    // A draw for the whole sequence is the same for every segment.
    return { shape, all, moves: all.size !== sizeOf(shape) };
  });
  const parts = partsInTime(parameterMoments(model, learned, posterior));
  const forms = formsOf(parts.still);
  const scale = annealing ? [tensor(fed, 'noiseScale')] : [];

  let over: OverTime = 'mean';
  const run = ({ parameters, inputs: shown, noises, noiseScale, take }: Segment) => {
    const [measured, left]: [tf.Tensor[], tf.Tensor[]] = [[], []];
    let drawn = 0;
    const ops = momentsOps({
      steps: every,
      spike: estimator.spike,
      relaxed: estimator.relaxed,
      span,
      noise: (shape, by) =>
        by === 'neuron' && estimator.noise === 'none' ? tf.zeros([...shape]) : noises[drawn++]!,
      measure,
      measured,
      unroll: options.unroll,
      noiseScale,
      carried: { take, leave: (final) => left.push(...final) },
    } satisfies MomentsOptions);
    const answers = forward(
      {
        ...ops,
        overTime(x, how) {
          over = how;
          return x;
        },
      },
      segment,
      parameters,
      { mean: shown },
    );
    return { state: left, outputs: [answers.mean, ...measured] };
  };

  const rows = [every * batch, ...model.input.shape];
  const found = throughSegments(
    ({ constants, state, inputs: moving }) => {
      const [fixed, slices, states] = [constants.values(), moving.values(), state.values()];
      const still = unflatAll(forms, fixed);
      const parameters = joinedParts({ ...parts, still }, () => next(slices), true);
      const noiseScale = scale.length > 0 ? next(fixed) : undefined;
      const shown = next(slices);
      const noises = draws.map(({ moves }) => next(moves ? slices : fixed));
      const take = (zeros: readonly tf.Tensor[]) => zeros.map(() => next(states));
      return run({ parameters, inputs: shown, noises, noiseScale, take });
    },
    {
      constants: [
        ...flatAll(parts.still),
        ...scale,
        ...draws.filter(({ moves }) => !moves).map(({ all }) => all),
      ],
      initial: startOf((take) =>
        run({
          parameters: joinedParts(parts, (_, mean) => tf.zeros([every, mean.shape[1] as number]), true),
          inputs: tf.zeros(rows),
          noises: draws.map(({ shape }) => tf.zeros([...shape])),
          noiseScale: scale[0],
          take,
        }),
      ),
      sequences: [...parts.moving.values()].map((mean) => inSegments(mean, [every, mean.shape[1] as number])),
      fed: [
        inSegments(inputs, rows),
        ...draws.filter(({ moves }) => moves).map(({ all, shape }) => inSegments(all, shape)),
      ],
    },
  );
  // [segment, time × batch, …] is [time × batch, …] of all.
  const [answers, ...measured] = found.map((each) => tf.reshape(each, [-1, ...each.shape.slice(2)]));
  const { overTime } = momentsOps({ ...options, steps: stepsOf(model), ...unused });
  return { logits: overTime({ mean: answers! }, over).mean, measured };
}

/** Where no neuron fires. */
const unused = {
  spike: (drive: tf.Tensor) => drive,
  noise: (shape: readonly number[]) => tf.zeros([...shape]),
};

/** Zeros for all that a network carries from one segment to the next, found by one on zeros. */
function startOf(run: (take: Segment['take']) => unknown): tf.Tensor[] {
  const shapes: number[][] = [];
  tf.tidy(() => {
    run((zeros) => {
      shapes.push(...zeros.map(({ shape }) => shape));
      return zeros;
    });
  });
  return shapes.map((shape) => tf.zeros(shape));
}
