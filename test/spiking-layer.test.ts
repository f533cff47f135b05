import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { dense, lif, type Model, recurrent } from '../schemas/index.ts';
import { forward } from '../schemas/model.ts';
import type { PosteriorChoice } from '../train/families/index.ts';
import { importanceWeighted } from '../train/index.ts';
import { type Firing, momentsOps } from '../train/moments.ts';
import { type PenaltyForm, penalty, penaltyTerm } from '../train/objective.ts';
import { parameterMoments } from '../train/posterior.ts';
import type { Shapes, Tensors } from '../train/step.ts';
import { relativeDifference } from './support/numbers.ts';
import { type Numbers, runEagerly, runTraced, stepOfFunction } from './support/training.ts';

type Form = 'none' | PenaltyForm;
type Nested = number | readonly Nested[];

/** One spiking layer over six steps, computed once in float64; the note in the file says what each number is. */
interface Case {
  readonly posterior: 'gaussian' | 'bernoulli';
  readonly recurrent: boolean;
  readonly reset: 'subtract' | 'zero';
  readonly mix: number;
  readonly beta: number;
  readonly threshold: number;
  readonly penalty_weight: number;
  readonly x: Nested;
  readonly eps: Nested;
  readonly readout: Nested;
  readonly params: Readonly<Record<string, Nested>>;
  readonly membrane_before_reset: Nested;
  readonly sd: Nested;
  readonly spikes: Nested;
  readonly loss: number;
  readonly penalties: Readonly<Record<PenaltyForm, number>>;
  readonly grads: Readonly<Record<Form, Readonly<Record<string, Nested>>>>;
}

const fixture = JSON.parse(
  readFileSync(join(import.meta.dirname, 'fixtures/spiking-layer.json'), 'utf8'),
) as { readonly cases: readonly Case[] };

const [STEPS, BATCH, INPUTS, UNITS] = [6, 2, 5, 4];

const flat = (nested: Nested): number[] =>
  typeof nested === 'number' ? [nested] : [...nested].flatMap((inner) => flat(inner));

const modelOf = ({ recurrent: feedsBack, beta: decay, threshold, reset }: Case): Model => {
  const neuron = lif({ decay, threshold, reset });
  return {
    input: { type: 'float32', shape: [INPUTS] },
    steps: STEPS,
    layers: feedsBack ? [recurrent({ units: UNITS, neuron })] : [dense({ units: UNITS }), neuron],
  };
};

/** The learned tensor that stands for each parameter of a case. */
function namesOf({ posterior, recurrent: feedsBack }: Case): Record<string, string> {
  const layer = feedsBack ? '0.recurrent' : '0.dense';
  const mean = posterior === 'gaussian' ? 'mu' : 'lambda';
  return {
    weight: `${layer}.weight.${mean}`,
    gain: `${layer}.gain.value`,
    bias: `${layer}.bias.value`,
    rho_bias: `${layer}.bias.rho`,
    ...(posterior === 'gaussian' && { rho: `${layer}.weight.rho` }),
    ...(feedsBack && { recurrent: `${layer}.recurrent.${mean}` }),
    ...(feedsBack && posterior === 'gaussian' && { rho_recurrent: `${layer}.recurrent.rho` }),
  };
}

const shapesOf: Readonly<Record<string, readonly number[]>> = {
  weight: [INPUTS, UNITS],
  recurrent: [UNITS, UNITS],
  gain: [UNITS],
  bias: [UNITS],
  rho_bias: [1],
  rho: [1],
  rho_recurrent: [1],
};

const choiceOf = ({ posterior }: Case): PosteriorChoice =>
  posterior === 'gaussian' ? { family: 'gaussian', scale: 'layer', prior: 1 } : { family: 'bernoulli' };

/** The layer under one measure of its neurons. */
function runLayer(of: Case, learned: Tensors, fed: Tensors, measure: (firing: Firing) => tf.Tensor) {
  const measured: tf.Tensor[] = [];
  const ops = momentsOps({
    steps: STEPS,
    spike: importanceWeighted({ mix: of.mix }).spike,
    noise: () => fed.noise!,
    measure,
    measured,
  });
  const parameters = parameterMoments(modelOf(of), learned, choiceOf(of));
  const spikes = forward(ops, modelOf(of), parameters, { mean: fed.inputs! }).mean;
  return { spikes, measured: measured[0]! };
}

/** All that a case tells, as a function of its parameters. */
function compute(of: Case, form: Form) {
  const names = namesOf(of);
  return (fed: Tensors): Tensors => {
    const keys = Object.keys(names);
    const learnedOf = (tensors: readonly tf.Tensor[]): Tensors =>
      Object.fromEntries(keys.map((key, index) => [names[key]!, tensors[index]!]));
    const given = keys.map((key) => fed[key]!);
    const gradients = tf.grads((...tensors: tf.Tensor[]) => {
      const measure = form === 'none' ? ({ membrane }: Firing) => membrane : penaltyTerm(form);
      const { spikes, measured } = runLayer(of, learnedOf(tensors), fed, measure);
      const loss = tf.div(tf.sum(tf.mul(spikes, fed.readout!)), STEPS);
      return form === 'none' ? loss : tf.add(loss, tf.mul(penalty([measured], BATCH), of.penalty_weight));
    })(given);
    const learned = learnedOf(given);
    const { spikes, measured: membrane } = runLayer(of, learned, fed, (firing) => firing.membrane);
    const { measured: deviation } = runLayer(of, learned, fed, (firing) =>
      tf.mul(firing.deviation, tf.onesLike(firing.membrane)),
    );
    return {
      spikes,
      membrane,
      deviation,
      loss: tf.div(tf.sum(tf.mul(spikes, fed.readout!)), STEPS),
      ...(form !== 'none' && {
        penalty: penalty([runLayer(of, learned, fed, penaltyTerm(form)).measured], BATCH),
      }),
      ...Object.fromEntries(keys.map((key, index) => [`gradient.${key}`, gradients[index]!])),
    };
  };
}

const cases = fixture.cases.flatMap((of) =>
  (['none', 'current', 'membrane', 'bias'] as const).map((form) => ({
    name: `${of.posterior}${of.recurrent ? ' recurrent' : ''}, reset ${of.reset}, penalty ${form}`,
    of,
    form,
  })),
);

function expectNear(of: Case, form: Form, found: Numbers): void {
  const same = (name: string, expected: Nested, tolerance: number): void => {
    expect(relativeDifference(found[name]!, flat(expected)), name).toBeLessThan(tolerance);
  };
  same('membrane', of.membrane_before_reset, 1e-5);
  same('deviation', of.sd, 1e-5);
  same('loss', of.loss, 1e-5);
  if (form !== 'none') same('penalty', of.penalties[form], 1e-5);
  for (const key of Object.keys(namesOf(of))) same(`gradient.${key}`, of.grads[form][key]!, 1e-5);
}

describe('a spiking layer is what was computed in float64, forward and backward through time', () => {
  test.each(cases)('$name', async ({ of, form }) => {
    const numbers: Record<string, Float32Array> = {
      inputs: Float32Array.from(flat(of.x)),
      noise: Float32Array.from(flat(of.eps)),
      readout: Float32Array.from(flat(of.readout)),
    };
    const shapes: Record<string, readonly number[]> = {
      inputs: [STEPS * BATCH, INPUTS],
      noise: [STEPS, BATCH, UNITS],
      readout: [UNITS],
    };
    for (const key of Object.keys(namesOf(of))) {
      numbers[key] = Float32Array.from(flat(of.params[key]!));
      shapes[key] = shapesOf[key]!;
    }
    const step = stepOfFunction(shapes as Shapes, compute(of, form));
    const names = ['spikes', 'membrane', 'deviation', 'loss', ...(form === 'none' ? [] : ['penalty'])];
    const reports = [...names, ...Object.keys(namesOf(of)).map((key) => `gradient.${key}`)];
    const eager = await runEagerly(step, {}, numbers);
    const traced = await runTraced(step, {}, numbers, { reports });
    for (const { reports: found } of [eager, traced]) {
      expect(found.spikes).toEqual(flat(of.spikes));
      expectNear(of, form, found);
    }
  });
});
