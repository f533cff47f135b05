import {
  type Activity,
  countOperations,
  type Energy,
  energy45nm,
  energyOf,
  type EnergyTable,
  type Memory,
  memoryOf,
  type OnnxReport,
  type Operations,
} from '../export/index.ts';
import { timeOutermost } from '../runtime/examples.ts';
import { load } from '../runtime/index.ts';
import { UserError } from '../schemas/errors.ts';
import { memberPrefix } from '../schemas/description.ts';
import { sizeOf } from '../schemas/layer.ts';
import { fires, type Model, placesOf, stepsOf } from '../schemas/model.ts';
import { firstExamples } from '../train/data/index.ts';
import { inputsFor, openData } from './data.ts';
import { bytesText, grouped, table } from './output.ts';

export interface OperationOptions {
  readonly data?: string;
  readonly limit?: number;
  readonly energy?: Partial<EnergyTable>;
}

export interface OperationsReport {
  /** How many examples spikes were counted on; 0 without data. */
  readonly examples: number;
  readonly members: number;
  /** Of one member. */
  readonly operations: Operations;
  /** Of all members. */
  readonly energy: Energy;
  readonly picojoules: EnergyTable;
  readonly memory: Memory;
}

/** Examples that tell how often neurons fire, where `--limit` does not say. */
const ENOUGH = 100;

/** What a network computes, holds in memory and takes of energy for one example. */
export async function operationsOf(
  file: string,
  { model, layers, members }: OnnxReport,
  { data, limit, energy }: OperationOptions,
): Promise<OperationsReport> {
  if (data === undefined && limit !== undefined) throw new UserError('inspect: --limit is for --data');
  const real = new Set(layers.filter(({ realWeights }) => realWeights > 0).map(({ name }) => name));
  const isReal = (weight: string): boolean => real.has(weight.slice(0, weight.lastIndexOf('.')));
  const activity =
    data === undefined ? undefined : await activityOf(file, model, members, data, limit ?? ENOUGH);
  const operations = countOperations(model, isReal, activity);
  const picojoules = { ...energy45nm, ...energy };
  const { dense, triggered, float } = energyOf(operations, isReal, picojoules);
  return {
    examples: activity?.examples ?? 0,
    members,
    operations,
    energy: {
      dense: dense * members,
      ...(triggered !== undefined && { triggered: triggered * members }),
      float: float * members,
    },
    picojoules,
    memory: memoryOf(model, isReal, members),
  };
}

/** What the neurons of the file's first member fire on examples. */
async function activityOf(
  file: string,
  model: Model,
  members: number,
  data: string,
  limit: number,
): Promise<Activity> {
  const examples = firstExamples(await openData({ data, limit }, 'test', model), limit);
  const inputs = inputsFor(model, examples, file);
  const neurons = placesOf(model)
    .filter(fires)
    .map(({ name }) => name);
  const prefix = memberPrefix(0, members);
  const network = await load(file, { observe: neurons.map((name) => prefix + name) });
  const outputs = await network.run(inputs);
  await network.close();
  const steps = stepsOf(model);
  return {
    examples: examples.count,
    inputs: steps === 1 ? inputs : timeOutermost(inputs, steps, sizeOf(model.input.shape)),
    layers: Object.fromEntries(neurons.map((name) => [name, outputs[prefix + name]?.data ?? []])),
  };
}

const energyText = (joules: number): string => {
  if (joules >= 1e-3) return `${(joules * 1e3).toFixed(2)} mJ`;
  return joules >= 1e-6 ? `${(joules * 1e6).toFixed(2)} µJ` : `${(joules * 1e9).toFixed(2)} nJ`;
};

const share = (part: number, of: number): string => (of === 0 ? '' : `${((100 * part) / of).toFixed(1)} %`);

/** What is computed for one example, layer by layer and in all, and what the estimate rests on. */
export function operationsText({
  operations,
  energy,
  picojoules,
  memory,
  examples,
  members,
}: OperationsReport): string {
  const { layers, triggered } = operations;
  const rows = layers
    .filter(({ synaptic }) => synaptic > 0)
    .map(({ name, operand = '', synaptic, triggered: some }) => {
      const row = [name, operand, grouped(synaptic)];
      return some === undefined ? row : row.concat(grouped(some), share(some, synaptic));
    });
  const head = ['operations per example', 'sums of', 'synaptic', ...(examples > 0 ? ['triggered', ''] : [])];
  const all = triggered === undefined ? [] : [grouped(triggered), share(triggered, operations.synaptic)];
  const { integerAdd, floatAdd, floatMultiply } = picojoules;
  const events =
    energy.triggered === undefined ? '' : `, ${energyText(energy.triggered)} if only spikes cost something`;
  return [
    table([head, ...rows, ['all', '', grouped(operations.synaptic), ...all]]),
    '',
    `of them binary (one bit by one bit): ${grouped(operations.binary)}; on real numbers besides: ${grouped(operations.additions)} additions, ${grouped(operations.multiplications)} multiplications`,
    ...(members > 1 ? [`each of the ${members} members computes as much`] : []),
    ...(examples > 0 ? [`spikes counted on ${grouped(examples)} examples`] : []),
    `energy of the arithmetic: ${energyText(energy.dense)} per example${events}; as 32-bit float products ${energyText(energy.float)}`,
    `  an estimate of ${integerAdd} pJ per integer addition, ${floatAdd} per float addition, ${floatMultiply} per float multiplication` +
      ' (32 bits, 45 nm: Horowitz, ISSCC 2014), without memory and control',
    `memory: ${bytesText(memory.weights)} of weights once unpacked, ${bytesText(memory.activations)} of activations and ${bytesText(memory.states)} of states per example`,
  ].join('\n');
}
