import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { checkOptions } from '../../schemas/layer.ts';

/**
 * Samples a binary neuron and carries a gradient through it.
 *
 * @param drive u, the mean of membrane minus threshold, [batch, …]
 * @param deviation σ > 0, the noise scale, of the drive's shape
 * @param noise ε of scale 1, of the drive's shape; it gets no gradient
 * @returns the spikes, 1 where u + σ ε > 0 and 0 elsewhere
 */
export type Spike = (drive: tf.Tensor, deviation: tf.Tensor, noise: tf.Tensor) => tf.Tensor;

/** A gradient estimator for binary neurons: a name, what makes it, and its spike. */
export interface Estimator {
  readonly name: string;
  /** What makes it, as plain data; a run folder keeps it, and a training resumes only with the same. */
  readonly options: Readonly<Record<string, number | string | boolean>>;
  /** The noise its spike wants: standard normal, standard logistic, or none (its noise is then zeros). */
  readonly noise: 'gaussian' | 'logistic' | 'none';
  /** Its spikes are anywhere between 0 and 1, not at the ends alone. */
  readonly relaxed?: true;
  readonly spike: Spike;
}

/** What the options of an estimator make. */
export type EstimatorRule = Omit<Estimator, 'name' | 'options'>;

/** Makes an estimator from its options, and knows their schema. */
export interface EstimatorKind<Kind extends string, Shape extends z.ZodRawShape> {
  /** @throws UserError for options that do not fit */
  (options?: z.input<z.ZodObject<Shape, z.core.$strict>>): Estimator;
  readonly kind: Kind;
  readonly shape: Shape;
}

const library = new WeakSet<Estimator>();

/** Whether the estimator is one of the library's own, which its name and options make again. */
export const isOfLibrary = (estimator: Estimator): boolean => library.has(estimator);

/** Declares an estimator of the library by its name, the schema of its options, and what they make. */
export function defineEstimator<const Kind extends string, Shape extends z.ZodRawShape>(
  kind: Kind,
  shape: Shape,
  make: (options: z.output<z.ZodObject<Shape, z.core.$strict>>) => EstimatorRule,
): EstimatorKind<Kind, Shape> {
  const schema = z.strictObject(shape);
  const estimator = (given: z.input<typeof schema> = {} as z.input<typeof schema>): Estimator => {
    const options = checkOptions(schema, given, `${kind}()`);
    const made = { name: kind, options: options as Estimator['options'], ...make(options) };
    library.add(made);
    return made;
  };
  return Object.assign(estimator, { kind, shape });
}

/** A spike by its value, and the gradients of drive, deviation and noise from what the value leaves behind. */
export const customSpike = (
  forward: (...given: Parameters<Spike>) => { readonly value: tf.Tensor; readonly saved: tf.Tensor[] },
  backward: (gradient: tf.Tensor, saved: tf.Tensor[]) => tf.Tensor[],
): Spike =>
  tf.customGrad((...given) => {
    const [drive, deviation, noise, save] = given as unknown as [...Parameters<Spike>, tf.GradSaveFunc];
    const { value, saved } = forward(drive, deviation, noise);
    save(saved);
    return { value, gradFunc: backward };
  });

/** How a neuron fires that depends on its drive and noise scale only by r = u/σ. */
export interface RatioRule {
  /** What goes forward. */
  readonly value: (ratio: tf.Tensor, noise: tf.Tensor) => tf.Tensor;
  /** dz/dr, from the ratio, the noise and the value. */
  readonly slope: (ratio: tf.Tensor, noise: tf.Tensor, value: tf.Tensor) => tf.Tensor;
}

/** A spike of u/σ and noise: dz/du = dz/dr / σ and dz/dσ = −(u/σ) · dz/du. */
export const ratioSpike = (rule: RatioRule): Spike =>
  customSpike(
    (drive, deviation, noise) => {
      const ratio = tf.div(drive, deviation);
      const value = rule.value(ratio, noise);
      return { value, saved: [ratio, deviation, noise, value] };
    },
    (gradient, saved) => {
      const [ratio, deviation, noise, value] = saved as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
      const byDrive = tf.mul(tf.div(rule.slope(ratio, noise, value), deviation), gradient);
      return [byDrive, tf.neg(tf.mul(ratio, byDrive)), tf.zerosLike(ratio)];
    },
  );

/** 1 where x > 0 and 0 elsewhere: at exactly the threshold there is no spike. */
export const step = (x: tf.Tensor): tf.Tensor => tf.cast(tf.greater(x, 0), 'float32');

/** The hard sample: u + σ ε > 0, divided by σ. */
export const sample = (ratio: tf.Tensor, noise: tf.Tensor): tf.Tensor => step(tf.add(ratio, noise));
