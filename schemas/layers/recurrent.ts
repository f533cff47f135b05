import { z } from 'zod';
import { UserError } from '../errors.ts';
import { checkOptions, defineLayer, type Layer, type Shape } from '../layer.ts';
import { adaptiveLif } from './adaptive-lif.ts';
import { cubaLif } from './cuba-lif.ts';
import { gainAndBias, perStepSchema } from './gain-and-bias.ts';
import { integrateAndFire } from './integrate-and-fire.ts';
import { lif } from './lif.ts';

/** The neurons that can feed themselves. */
const neurons = { lif, if: integrateAndFire, adaptiveLif, cubaLif };

type AnyNeuron = Layer<string, z.ZodObject, string, string>;
const neuronOf = (kind: string): AnyNeuron | undefined =>
  Object.hasOwn(neurons, kind)
    ? (neurons[kind as keyof typeof neurons].layer as unknown as AnyNeuron)
    : undefined;

/** A neuron as `lif()` describes it, its options completed. */
const neuronSchema = z.looseObject({ kind: z.string() }).transform(({ kind, ...options }) => {
  const neuron = neuronOf(kind);
  if (!neuron) {
    throw new UserError(
      `recurrent(): neuron is of the kind '${kind}'; expected one of ${Object.keys(neurons).join(', ')}`,
    );
  }
  return { kind, ...checkOptions(neuron.options, options, `recurrent() neuron ${kind}()`) };
});

const PREFIX = 'neuron.';

/** Names of the neuron's own tensors, apart from the synapse's. */
const prefixed = <T>(record: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [PREFIX + name, value]));

const unprefixed = <T>(record: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(
    Object.entries(record)
      .filter(([name]) => name.startsWith(PREFIX))
      .map(([name, value]) => [name.slice(PREFIX.length), value]),
  );

/**
 * Weighted sum of every input and of every other unit's last spike, and the neurons that it drives:
 *
 *     I_t = gain ⊙ (x_t W + s_(t−1) R) + bias      s_t = neuron(I_t)
 *
 * W, R ∈ {−1, +1} once frozen; no unit feeds itself (the diagonal of R is 0). Input [in], output [units].
 */
export const recurrent = defineLayer({
  kind: 'recurrent',
  takes: 'signal',
  gives: 'signal',

  options: z.strictObject({
    units: z.int().min(2).meta({ description: 'Number of neurons.' }),
    perStep: perStepSchema,
    neuron: neuronSchema
      .default(() => lif())
      .meta({
        description: 'What the currents drive: lif(), integrateAndFire(), adaptiveLif() or cubaLif().',
      }),
  }),

  outputShape({ units }, input) {
    if (input.length !== 1) {
      throw new UserError(
        `recurrent: expected an input with one axis, got [${input.join(', ')}]; flatten it first`,
      );
    }
    return [units];
  },

  parameters({ units, neuron, perStep }, [inputs = 0], steps) {
    const fanIn = inputs + units - 1;
    const own = neuronOf(neuron.kind)?.parameters(neuron, [units], steps) ?? {};
    return {
      weight: { shape: [inputs, units], role: 'weight' as const, fanIn },
      recurrent: { shape: [units, units], role: 'weight' as const, fanIn, noSelfConnection: true as const },
      ...gainAndBias(units, fanIn, perStep, steps),
      ...prefixed(own),
    };
  },

  state({ units, neuron }): Record<string, Shape> {
    return { spikes: [units], ...prefixed(neuronOf(neuron.kind)?.state(neuron, [units]) ?? {}) };
  },

  before: (ops, _options, { weight }, input) => ops.linear(input, weight),

  step(ops, { neuron }, parameters, state, fed) {
    const { recurrent: weight, gain, bias } = parameters;
    const sum = ops.add(fed, ops.linear(state.spikes as typeof fed, weight));
    const current = ops.add(ops.multiply(sum, gain), bias);
    const { step } = neuronOf(neuron.kind) as AnyNeuron;
    const [spikes, own] = step(ops, neuron, unprefixed(parameters), unprefixed(state), current);
    return [spikes, { spikes, ...prefixed(own) }];
  },
});
