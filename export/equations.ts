import type { LayerKind, LayerSpec, layers } from '../schemas/layers/index.ts';
import { type Model, placesOf } from '../schemas/model.ts';

type Spec<Kind extends LayerKind> = ReturnType<(typeof layers)[Kind]>;

/** A number as it reads best. */
const short = (value: number): string => String(Number(value.toPrecision(6)));

interface Membrane {
  readonly decay?: number;
  readonly learnDecay?: boolean;
  readonly threshold: number;
  readonly learnThreshold: boolean;
  readonly reset: 'subtract' | 'zero' | 'none';
}

const decayOf = ({ decay = 1, learnDecay }: Pick<Membrane, 'decay' | 'learnDecay'>): string =>
  learnDecay ? 'decay' : short(decay);

/** How a neuron fires, and what a spike does to its membrane. */
function firing({ threshold, learnThreshold, reset }: Membrane, raised = ''): string {
  const limit = learnThreshold ? 'threshold' : short(threshold);
  const after = { subtract: `; then U := U - ${limit} s`, zero: '; then U := U (1 - s)', none: '; U stays' }[
    reset
  ];
  return `s = [U > ${limit}${raised}]${after}`;
}

const GAINED = 'gain * sum + bias';

/** The equation of every kind of layer, at one time step. */
const equations: { readonly [Kind in LayerKind]: (spec: Spec<Kind>) => string } = {
  normalise: () => 'y = (x - mean) / deviation',
  dense: () => `I = ${GAINED}, sum = x W`,
  conv2d: () => `I = ${GAINED}, sum = W over windows of x`,
  recurrent: ({ neuron }) =>
    `I = ${GAINED}, sum = x W + s' R with s' the last spikes; ${equationOf(neuron as LayerSpec)}`,
  binary: ({ threshold }) => `s = [I > ${short(threshold)}]`,
  if: (spec) => `U = U + I; ${firing(spec)}`,
  lif: (spec) => `U = ${decayOf(spec)} U + I; ${firing(spec)}`,
  adaptiveLif: (spec) =>
    `U = ${decayOf(spec)} U + I; A = ${short(spec.adaptationDecay)} A + s' with s' the last spikes; ${firing(spec, ` + ${short(spec.adaptation)} A`)}`,
  cubaLif: (spec) => `J = ${short(spec.synapseDecay)} J + I; U = ${decayOf(spec)} U + J; ${firing(spec)}`,
  leakyIntegrator: (spec) => `U = ${decayOf(spec)} U + I`,
  averagePool: () => 'y = mean of windows of x',
  maxPool: () => 'y = largest of windows of x',
  globalAveragePool: () => 'y = mean of x over the plane',
  flatten: () => 'y = x, its features in one axis',
  residual: () => 'y = inside(x) + x',
  readout: ({ over }) => `logits = ${over === 'last' ? 'I of the last step' : `${over} of I over all steps`}`,
};

/** What a layer computes at one step, in words; nothing is known of layers of one's own. */
function equationOf(spec: LayerSpec): string | undefined {
  // A spec carries the options of its own kind.
  const equation = equations[spec.kind] as ((spec: LayerSpec) => string) | undefined;
  return equation?.(spec);
}

/** The equations of a network's layers, by kind: as many of each as there are different ones. */
export function equationsOf(model: Model): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const { spec } of placesOf(model)) {
    const equation = equationOf(spec);
    if (equation === undefined) continue;
    const known = (found[spec.kind] ??= []);
    if (!known.includes(equation)) known.push(equation);
  }
  return found;
}
