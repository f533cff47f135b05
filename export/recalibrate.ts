import { UserError } from '../schemas/errors.ts';
import { sizeOf } from '../schemas/layer.ts';
import { forward, type Model, parametersOf, type Place, stepsOf } from '../schemas/model.ts';
import type { Ops, Scan } from '../schemas/ops.ts';
import type { FrozenTensor } from './decisions.ts';
import { type Search, searchBiases, solveBiases } from './firing-bias.ts';
import type { Member, Network } from './freeze.ts';
import { oracleOps, parameterOf, type Plain, roundingOf } from './oracle.ts';

/** How often neurons fire, 0 … 1, by the name of their layer (`1.binary`): one rate for each channel, as for biases. */
export type FiringRates = Readonly<Record<string, ArrayLike<number>>>;

/**
 * Moves the bias of every neuron until the frozen network fires as often as the noisy one did.
 *
 * A neuron that lost its noise fires more or less often than the layers after it learned to expect. Layers are done
 * in order, so a later one sees the spikes of neurons that are right already. The bias of a neuron without memory
 * has an exact solution, that of one with a memory is searched for.
 *
 * Nothing but biases changes, and they stay float32; those of every step move together. Each member of an ensemble is recalibrated by itself.
 *
 * @param inputs training examples [count, …], [count, time, …] where there is time: bytes where the model takes bytes,
 *   else the values themselves
 * @param rates of the noisy network on the same examples, as `noisyRates` of `bitspike/train` gives them
 * @throws UserError where inputs or rates do not fit the model, or a neuron has no bias to move
 */
export function recalibrate(
  network: Network,
  inputs: Uint8Array | Float32Array,
  rates: FiringRates,
): Network {
  const { model, choice } = network;
  const examples = examplesOf(model, inputs);
  const members = network.members.map((member) => recalibrateMember(model, member, examples, rates));
  const recalibrated = (examples.shape[0] as number) / stepsOf(model);
  return { ...network, members, choice: { ...choice, recalibrated } };
}

/** A value, and the bias that was added last: where its neurons can still be moved. */
interface Biased extends Plain {
  readonly sum?: Plain;
  readonly bias?: Plain;
}

function recalibrateMember(model: Model, member: Member, examples: Plain, rates: FiringRates): Member {
  const moved: Record<string, FrozenTensor> = { ...member };
  const parameters: Record<string, Plain> = {};
  const biases = new Map<Plain | undefined, string>();
  for (const [name, { role }] of Object.entries(parametersOf(model))) {
    parameters[name] = parameterOf(member[name] as FrozenTensor);
    if (role === 'bias') biases.set(parameters[name], name);
  }

  let layer = '';
  const neurons: Neurons = {
    isBias: (value) => biases.has(value),
    nameOf(bias) {
      const name = biases.get(bias);
      if (name !== undefined) return name;
      throw new UserError(`recalibrate: the neurons of ${layer} have no bias right before them to move`);
    },
    ratesOf: (units) => ratesOf(rates, layer, units),
    move(name, data) {
      const bias = { ...(member[name] as FrozenTensor), data } as FrozenTensor;
      moved[name] = bias;
      return parameterOf(bias);
    },
  };
  const before = ({ name }: Place): void => {
    layer = name;
  };
  const ops = movingOps(oracleOps(stepsOf(model), roundingOf(model)), neurons);
  forward(ops, model, parameters, examples, { before });
  return moved;
}

/** What is known of the neurons that fire now. */
interface Neurons {
  isBias(value: Plain | undefined): boolean;
  /** The name of their bias. @throws UserError where it is none */
  nameOf(bias: Plain | undefined): string;
  ratesOf(units: number): ArrayLike<number>;
  /** Writes their bias, and gives it back as they see it from here on, rounded as it is. */
  move(name: string, data: Float32Array): Plain;
}

/** The oracle, moving the bias of every neuron before it fires, so that later layers see what it then does. */
const movingOps = (oracle: Ops<Plain>, { isBias, nameOf, ratesOf, move }: Neurons): Ops<Biased> => ({
  ...oracle,

  add: (x, term) => ({ ...oracle.add(x, term), sum: x, bias: term }),

  spike({ sum, bias }, threshold) {
    const name = nameOf(bias);
    const known = bias as Plain;
    const from = known.perStep ? oracle.add(sum as Plain, known) : (sum as Plain);
    const found = solveBiases(from, threshold, ratesOf(known.shape.at(-1) as number));
    return oracle.spike(oracle.add(sum as Plain, move(name, biasOf(known, found))), threshold);
  },

  scan(scan) {
    const reach = reachOf(oracle, scan);
    if (!reach) return oracle.scan(scan);
    const { input, parameters } = scan;
    // A layer on itself adds its bias inside, where its neurons hear each other.
    const inside = Object.keys(parameters).find((key) => isBias(parameters[key]));
    const bias = inside === undefined ? input.bias : parameters[inside];
    const name = nameOf(bias);
    const known = bias as Plain;
    const channels = known.shape.at(-1) as number;
    const runWith = (value: Plain): Plain =>
      oracle.scan(
        inside === undefined
          ? { ...scan, input: oracle.add(input.sum as Plain, value) }
          : { ...scan, parameters: { ...parameters, [inside]: value } },
      );
    const run = (found: Float32Array): Plain =>
      runWith({ ...known, data: Float64Array.from(biasOf(known, found)) });
    const start = known.perStep ? new Float32Array(channels) : known.data;
    const search: Search = { run, start, reach, independent: inside === undefined };
    return runWith(move(name, biasOf(known, searchBiases(search, ratesOf(channels)))));
  },
});

/** The largest current that each neuron of a scan gets, or none where nothing in it fires. */
function reachOf(oracle: Ops<Plain>, scan: Scan<Plain>): Float64Array | undefined {
  let reach: Float64Array | undefined;
  const observe = ({ shape, data }: Plain): void => {
    const channels = shape.at(-1) as number;
    const largest = (reach ??= new Float64Array(channels));
    data.forEach((value, index) => {
      const channel = index % channels;
      largest[channel] = Math.max(largest[channel] as number, Math.abs(value));
    });
  };
  oracle.scan({
    ...scan,
    step: (inner, ...given) => {
      const spike: typeof inner.spike = (membrane, threshold, current = membrane) => {
        observe(current);
        return inner.spike(membrane, threshold, current);
      };
      return scan.step({ ...inner, spike }, ...given);
    },
  });
  // Where nothing comes in, a bias has the threshold to reach, whose size is that of currents at first.
  return reach?.map((largest) => largest || 1);
}

/** The bias that was found; where every step has one, what was found moves those of a channel together. */
const biasOf = ({ data, perStep }: Plain, found: Float32Array): Float32Array =>
  perStep
    ? Float32Array.from(data, (value, index) => value + (found[index % found.length] as number))
    : found;

function ratesOf(rates: FiringRates, layer: string, units: number): ArrayLike<number> {
  const found = Object.hasOwn(rates, layer) ? rates[layer] : undefined;
  if (!found || found.length !== units) {
    throw new UserError(
      `recalibrate: ${found ? `${found.length} rates` : 'no rates'} for ${layer}; expected one for each of its ${units} neurons`,
    );
  }
  const bad = Array.from(found).findIndex((rate) => !(rate >= 0 && rate <= 1));
  if (bad >= 0) {
    throw new UserError(
      `recalibrate: the rate of neuron ${bad} of ${layer} is ${found[bad]}; expected 0 … 1`,
    );
  }
  return found;
}

/** The inputs as the oracle takes them, [time × batch, …]. */
function examplesOf(model: Model, inputs: Uint8Array | Float32Array): Plain {
  const { input } = model;
  const isBytes = inputs instanceof Uint8Array;
  if (isBytes !== (input.type === 'uint8')) {
    throw new UserError(
      `recalibrate: the model takes ${input.type}; give a ${isBytes ? 'Float32Array' : 'Uint8Array'}`,
    );
  }
  const steps = stepsOf(model);
  const size = sizeOf(input.shape);
  const whole = steps * size;
  if (inputs.length === 0 || inputs.length % whole !== 0) {
    throw new UserError(
      `recalibrate: ${inputs.length} numbers are not whole examples; expected one or more of ${whole} numbers`,
    );
  }
  const count = inputs.length / whole;
  const data = new Float64Array(inputs.length);
  for (let example = 0; example < count; example++) {
    for (let step = 0; step < steps; step++) {
      const from = (example * steps + step) * size;
      data.set(inputs.subarray(from, from + size), (step * count + example) * size);
    }
  }
  const shape = [steps * count, ...input.shape];
  return { shape, data, ...(input.type === 'uint8' && { unit: input.scale }) };
}
