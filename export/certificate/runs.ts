import { UserError } from '../../schemas/errors.ts';
import { sizeOf } from '../../schemas/layer.ts';
import { placesOf } from '../../schemas/model.ts';
import type { Network } from '../freeze.ts';
import { runOracle } from '../oracle.ts';
import { type Numbers, Reference } from '../reference/index.ts';
import type { GivenValue, RunBatch } from './answers.ts';
import { type Feeds, type FedTensor, stepsFrom, type Subject, zeroStates } from './subject.ts';

/** A model that was opened on a device, as a runner of the runtime is. */
export interface DeviceRunner {
  run(feeds: Feeds, outputs: readonly string[]): Promise<Readonly<Record<string, DeviceValue>>>;
  release(): Promise<void>;
}

interface DeviceValue {
  readonly dims: readonly number[];
  readonly data: unknown;
}

const numbersOf = ({ type, dims, data }: FedTensor): Numbers => ({
  type,
  dims,
  data: data as Float32Array<ArrayBuffer>,
  exact: true,
});

/** Runs batches by the reference: a sequence at once, from states of zero. */
export function onReference(subject: Subject): RunBatch {
  const reference = new Reference(subject.model);
  const names = [...subject.layers, ...subject.answers.map(({ name }) => name)];
  return async (feeds, batch) => {
    const all = { ...feeds, ...zeroStates(subject, batch) };
    return reference.run(
      Object.fromEntries(Object.entries(all).map(([name, fed]) => [name, numbersOf(fed)])),
      names,
    );
  };
}

/**
 * Runs batches on a device: a sequence at once, and of a network that takes streams in pieces of 1, 2, 4, … steps, so
 * that what it carries from one call to the next is looked at, too.
 */
export function onDevice(subject: Subject, runner: DeviceRunner): RunBatch {
  const names = [...subject.layers, ...subject.answers.map(({ name }) => name)];
  const states = subject.description.states ?? [];
  if (states.length === 0)
    return async (feeds) => (await runner.run(feeds, names)) as Record<string, GivenValue>;
  return async (feeds, batch) => {
    const trains: Record<string, ArrayLike<number>[]> = {};
    let carried = zeroStates(subject, batch);
    let found: Readonly<Record<string, DeviceValue>> = {};
    for (let start = 0, size = 1; start < subject.steps; start += size, size *= 2) {
      const piece = stepsFrom(feeds, start, Math.min(start + size, subject.steps));
      found = await runner.run({ ...piece, ...carried }, [...names, ...states.map(({ output }) => output)]);
      const after = found;
      carried = Object.fromEntries(
        states.map(({ input, output }) => [input, after[output] as unknown as FedTensor]),
      );
      for (const name of subject.layers) (trains[name] ??= []).push(found[name]?.data as ArrayLike<number>);
    }
    return {
      ...(found as Record<string, GivenValue>),
      // Time is outermost, so pieces follow one another.
      ...Object.fromEntries(
        Object.entries(trains).map(([name, parts]) => [name, { dims: [], data: joined(parts) }]),
      ),
    };
  };
}

function joined(parts: readonly ArrayLike<number>[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/**
 * Runs batches by the oracle: the equations of the layers on a frozen network.
 *
 * @throws UserError where the network is not one that the file can be of
 */
export function onOracle({ description, layers, answers, file }: Subject, network: Network): RunBatch {
  const { model, members } = network;
  if (
    JSON.stringify(model) !== JSON.stringify(description.model) ||
    members.length !== description.layers.length
  )
    throw new UserError(
      `${file}: is not the network that it is held against; its layers or members are others`,
    );
  if (answers.some(({ name }) => name === 'logits') !== (members.length === 1 && !network.likelihood))
    throw new UserError(`${file}: its outputs are not those of the network that it is held against`);
  const names = new Set(layers);
  const sizes = new Map(placesOf(model).map(({ name, output }) => [name, sizeOf(output)]));
  return async (feeds, batch) => {
    if (Object.keys(feeds).length > 1)
      throw new UserError(`${file}: takes its noise from outside, which the oracle does not`);
    const found: Record<string, GivenValue> = {};
    const { data } = feeds['input'] as FedTensor;
    members.forEach((member, index) => {
      const result = runOracle(network, member, data);
      for (const [name, spikes] of Object.entries(result.layers)) {
        const own = members.length > 1 ? `member${index}.${name}` : name;
        if (names.has(own) && sizes.has(name)) found[own] = { dims: [], data: spikes };
      }
      if (members.length === 1)
        found[network.likelihood ? 'means' : 'logits'] = {
          dims: [batch, result.logits.length / batch],
          data: result.logits,
        };
    });
    return found;
  };
}
