import * as tf from '@tensorflow/tfjs-core';
import type { Ops, OverTime } from '../schemas/ops.ts';
import { type Product, stopGradient, withoutGradient } from './engine/scan.ts';
import type { Spike } from './estimators/index.ts';
import { linearMoments } from './linear-moments.ts';
import { type Combine, combined } from './per-step.ts';
import { convolutionMoments, flattened, normalised, poolOf, widened } from './plane-moments.ts';
import { scanMoments } from './scan-moments.ts';

/**
 * Mean and variance of a value that the posterior makes uncertain.
 *
 * Sampling a layer's output instead of its weights is the local reparameterisation trick: the output of a
 * weighted sum has a mean and a variance in closed form.
 */
export interface Moments {
  readonly mean: tf.Tensor;
  /** Absent where the value is certain. */
  readonly variance?: tf.Tensor;
  /** Variance that adds at the moment of firing and is never accumulated: the noise of a bias. */
  readonly firingVariance?: tf.Tensor;
  /** How far one draw of the weights, kept for the whole sequence, takes the value from its mean. */
  readonly deviation?: tf.Tensor;
  /** The same of a bias: it adds at the moment of firing. */
  readonly firingDeviation?: tf.Tensor;
  /** The mean is 0 or 1 everywhere, and so its own square. */
  readonly binary?: true;
  /** As a factor it leaves variances as they are: of weights whose noise is that of the current (Gaussian). */
  readonly scalesMeanOnly?: true;
  /** A parameter whose mean is of every step another, [time, channels]. */
  readonly perStep?: true;
  /** As a factor it makes the current of a weighted sum. */
  readonly isGain?: true;
  /** Of a weighted sum that is cheaper to compute anew than to multiply: the sum with a gain per output. */
  readonly gained?: (gain: Moments) => Moments;
}

/** Who draws noise: a neuron or a readout at every step, or what is drawn once for a whole sequence. */
export type Drawer = 'neuron' | 'readout' | 'weight' | 'sign' | 'bias';

/** Noise of scale 1 and the given shape, drawn afresh at every call. That of neurons is the estimator's, all other normal. */
export type DrawNoise = (shape: readonly number[], by: Drawer) => tf.Tensor;

/** What a neuron saw when it fired: the penalty is written on these, [batch, …]; deviations broadcast to that. */
export interface Firing {
  readonly membrane: tf.Tensor;
  readonly threshold: number | tf.Tensor;
  readonly deviation: tf.Tensor;
  /** What came in at this step, and its standard deviation. */
  readonly current: tf.Tensor;
  readonly currentDeviation: tf.Tensor;
  readonly spikes: tf.Tensor;
}

/** Makes one tensor, or several, of what a neuron saw. */
export type Measure = (firing: Firing) => tf.Tensor | readonly tf.Tensor[];

/** When weights are drawn: anew for every step, or once for all steps of a sequence. */
export type NoiseSpan = 'step' | 'sequence';

/** What layers with a state carry into a part of a sequence and out of it, in the order in which they are done. */
export interface Carried {
  /** What a layer begins with, in place of zeros. */
  take(zeros: readonly tf.Tensor[]): readonly tf.Tensor[];
  leave(final: readonly tf.Tensor[]): void;
}

export interface MomentsOptions {
  /** Time steps that the first axis holds, outermost; 1 unless given. */
  readonly steps?: number | undefined;
  readonly spike: Spike;
  /** Whether spikes lie anywhere between 0 and 1. */
  readonly relaxed?: boolean | undefined;
  readonly noise: DrawNoise;
  readonly span?: NoiseSpan | undefined;
  /** Told of every neuron layer; what it returns, [batch, …] each, is gathered over all times in `measured`. */
  readonly measure?: Measure | undefined;
  readonly measured?: tf.Tensor[] | undefined;
  /** Multiplies the σ of every neuron, and of no readout; a scalar. */
  readonly noiseScale?: tf.Tensor | undefined;
  /** Whether scans are written as steps one after another. */
  readonly unroll?: boolean | undefined;
  /** Where layers with a state begin with another than zero. */
  readonly carried?: Carried | undefined;
  /** Products with weights; inside a scan they are its own. */
  readonly product?: Product | undefined;
}

/** The training interpreter: layers act on means and variances, neurons sample (docs/method.md). */
export function momentsOps(options: MomentsOptions): Ops<Moments> {
  const { steps = 1, spike, relaxed, noise, measure, measured, noiseScale, span = 'step' } = options;

  /** σ, of the shape of the mean or broadcasting to it: what all units of an example share is one number of it. */
  const deviationOf = (x: Moments): tf.Tensor | undefined => {
    const total = sum(x.variance, x.firingVariance);
    return total && tf.sqrt(total);
  };

  /** ε for a neuron or readout of that deviation: drawn here, or what the draw of the sequence comes to. */
  const noiseOf = (x: Moments, deviation: tf.Tensor, by: 'neuron' | 'readout'): tf.Tensor => {
    const drawn = sum(x.deviation, x.firingDeviation);
    return drawn ? withoutGradient(tf.div, drawn, deviation) : noise(x.mean.shape, by);
  };

  return {
    linear: (x, weight) => linearMoments(x, weight, options),
    conv2d: (x, weight, how) => convolutionMoments(x, weight, how, options),
    pool: poolOf,
    flatten: flattened,
    padChannels: widened,
    normalise: normalised,

    multiply: (x, factor) => {
      if (typeof factor !== 'number' && x.gained && factor.mean.rank === 1) return x.gained(factor);
      const { mean: by, ...known }: Moments =
        typeof factor === 'number' ? { mean: tf.scalar(factor) } : factor;
      const times = combined(tf.mul, known);
      return {
        mean: times(x.mean, by),
        ...(known.scalesMeanOnly ? spreadOf(x) : scaledSpread(x, by, times)),
      };
    },

    add: (x, term) => {
      const biasDraw =
        span === 'sequence' && term.firingVariance && (term.perStep || term.mean.rank < x.mean.rank)
          ? biasDeviation(x, term.firingVariance, steps, noise)
          : term.firingDeviation;
      return {
        mean: combined(tf.add, term)(x.mean, term.mean),
        ...spreadOf({
          mean: x.mean,
          ...present({
            variance: sum(x.variance, term.variance),
            firingVariance: sum(x.firingVariance, term.firingVariance),
            deviation: sum(x.deviation, term.deviation),
            firingDeviation: sum(x.firingDeviation, biasDraw),
          }),
        }),
      };
    },

    spike: (membrane, threshold, current = membrane) => {
      const unscaled = deviationOf(membrane);
      if (!unscaled)
        throw new Error('a neuron fires on a certain current: its gradient would be zero everywhere');
      const deviation = noiseScale ? tf.mul(unscaled, noiseScale) : unscaled;
      const limit = typeof threshold === 'number' ? threshold : threshold.mean;
      const drive = tf.sub(membrane.mean, limit);
      const spikes = spike(drive, broadcast(deviation, drive.shape), noiseOf(membrane, unscaled, 'neuron'));
      if (measure) {
        const firing: Firing = {
          membrane: membrane.mean,
          threshold: limit,
          deviation,
          current: current.mean,
          currentDeviation: current === membrane ? deviation : (deviationOf(current) ?? deviation),
          spikes,
        };
        measured?.push(...[measure(firing)].flat());
      }
      return relaxed ? { mean: spikes } : { mean: spikes, binary: true };
    },

    leak: (membrane, decay) => {
      const by = typeof decay === 'number' ? tf.scalar(decay) : decay.mean;
      // The noise of a bias belongs to the moment that is over.
      const { variance, deviation } = scaledSpread(membrane, by);
      return { mean: tf.mul(membrane.mean, by), ...present({ variance, deviation }) };
    },

    reset: (membrane, spikes, threshold, to) => {
      const limit = typeof threshold === 'number' ? threshold : threshold.mean;
      const lost = tf.mul(spikes.mean, to === 'zero' ? membrane.mean : limit);
      const { variance, deviation } = membrane;
      return { mean: tf.sub(membrane.mean, lost), ...present({ variance, deviation }) };
    },

    detach: (x) => ({ ...x, mean: stopGradient(x.mean) }),

    read: (current) => {
      const deviation = deviationOf(current);
      return {
        mean: deviation
          ? tf.add(current.mean, tf.mul(deviation, noiseOf(current, deviation, 'readout')))
          : current.mean,
      };
    },

    overTime: (x, how) => (steps === 1 ? x : { mean: overTime[how](byTime(x.mean, steps)) }),

    scan: (scan) => scanMoments(scan, options, momentsOps),
  };
}

/** [time × batch, …] as [time, batch, …]. */
export const byTime = (x: tf.Tensor, steps: number): tf.Tensor =>
  tf.reshape(x, [steps, -1, ...x.shape.slice(1)]);

const overTime: Record<OverTime, (x: tf.Tensor) => tf.Tensor> = {
  mean: (x) => tf.mean(x, 0),
  maximum: (x) => tf.max(x, 0),
  last: (x) => {
    const [times = 1, ...rest] = x.shape;
    return tf.reshape(tf.slice(x, [times - 1, ...rest.map(() => 0)], [1, ...rest]), rest);
  },
};

const sum = (a: tf.Tensor | undefined, b: tf.Tensor | undefined): tf.Tensor | undefined =>
  a && b ? tf.add(a, b) : (a ?? b);

type Spread = Pick<Moments, 'variance' | 'firingVariance' | 'deviation' | 'firingDeviation'>;

/** The fields that are there. */
function present(fields: { readonly [Key in keyof Spread]: tf.Tensor | undefined }): Spread {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

const spreadOf = ({ variance, firingVariance, deviation, firingDeviation }: Moments): Spread =>
  present({ variance, firingVariance, deviation, firingDeviation });

/** The spread of a value multiplied by a factor. */
function scaledSpread(x: Moments, by: tf.Tensor, times: Combine = tf.mul): Spread {
  const squared = (tensor: tf.Tensor | undefined) => tensor && times(tensor, tf.square(by));
  const scaled = (tensor: tf.Tensor | undefined) => tensor && times(tensor, by);
  return present({
    variance: squared(x.variance),
    firingVariance: squared(x.firingVariance),
    deviation: scaled(x.deviation),
    firingDeviation: scaled(x.firingDeviation),
  });
}

const broadcast = (x: tf.Tensor, shape: number[]): tf.Tensor =>
  tf.util.arraysEqual(x.shape, shape) ? x : tf.mul(x, tf.ones(shape));

/** ±1, each as probable: the sign of noise. */
export const signOf = (noise: tf.Tensor): tf.Tensor =>
  tf.sub(tf.mul(tf.cast(tf.greater(noise, 0), 'float32'), 2), 1);

/** What one draw of a bias adds at every time: its own for every unit and example. */
function biasDeviation(x: Moments, variance: tf.Tensor, steps: number, noise: DrawNoise): tf.Tensor {
  const [rows = 1, ...units] = x.mean.shape;
  const drawn = noise([rows / steps, ...units], 'bias');
  return withoutGradient((ofBias) => {
    const everyTime = tf.mul(tf.mul(drawn, tf.sqrt(ofBias)), tf.ones([steps, ...drawn.shape]));
    return tf.reshape(everyTime, x.mean.shape);
  }, variance);
}
