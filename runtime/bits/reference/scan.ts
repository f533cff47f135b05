import { UserError } from '../../../schemas/errors.ts';
import type { Engine } from '../engine.ts';
import { type FlatGraph, intOf } from '../flat-graph.ts';
import { placeOf } from '../layers.ts';
import type { Value } from '../values.ts';
import { referenceOf } from './index.ts';
import { needed, type Numbers, type Reference, sizeOf } from './tensors.ts';

/**
 * A loop by its definition, step by step.
 *
 * @param around the values that its body sees; undefined where one of them is not known before the program runs
 */
export function scanReference(
  loop: { readonly bodies: ReadonlyMap<string, FlatGraph> },
  around: ReadonlyMap<string, Value>,
  { constants, what }: Engine,
): Reference | undefined {
  const body = loop.bodies.get('body');
  if (!body) return undefined;
  const known = (name: string, values: ReadonlyMap<string, Numbers>): Numbers => {
    const found = values.get(name);
    if (found) return found;
    if (constants.has(name)) return constants.get(name);
    const outer = around.get(name);
    if (outer?.kind === 'constant') return outer.numbers();
    throw new UserError(
      `${what}: a loop reads '${name}', which device bits cannot give it; open the model on device cpu`,
    );
  };
  return (node, inputs) => {
    for (const name of [
      'scan_input_directions',
      'scan_output_directions',
      'scan_input_axes',
      'scan_output_axes',
    ]) {
      if (node.attributes.has(name))
        throw new UserError(
          `the loop '${node.name}' has ${name}, which device bits does not know; open the model on device cpu`,
        );
    }
    const fed = intOf(node, 'num_scan_inputs', 0);
    const states = inputs.length - fed;
    let carried = Array.from({ length: states }, (_, index) => needed(node, inputs, index));
    const sequences = Array.from({ length: fed }, (_, index) => needed(node, inputs, states + index));
    const times = sequences[0]?.dims[0] ?? 0;
    const made: Numbers[][] = body.outputs.slice(states).map(() => []);
    for (let time = 0; time < times; time++) {
      const values = new Map<string, Numbers>();
      const now = [...carried, ...sequences.map((sequence) => at(sequence, time))];
      body.inputs.forEach(({ name }, index) => values.set(name, now[index] as Numbers));
      for (const inner of body.nodes) {
        if (inner.outputs.every((output) => output === '' || constants.has(output))) continue;
        const reference = referenceOf(inner);
        if (!reference)
          throw new UserError(
            `device bits cannot compute ${placeOf({ ...inner, layer: node.layer })}; open the model on device cpu`,
          );
        const found = reference(
          inner,
          inner.inputs.map((input) => (input ? known(input, values) : undefined)),
        );
        inner.outputs.forEach((output, index) => {
          const result = found[index];
          if (output && result) values.set(output, result);
        });
      }
      const results = body.outputs.map((name) => known(name, values));
      carried = results.slice(0, states);
      results.slice(states).forEach((result, index) => made[index]?.push(result));
    }
    return [...carried, ...made.map(stacked)];
  };
}

function at({ type, dims: [, ...dims], data }: Numbers, time: number): Numbers {
  const size = sizeOf(dims);
  return { type, dims, data: data.slice(time * size, (time + 1) * size) as Numbers['data'] };
}

function stacked(parts: readonly Numbers[]): Numbers {
  const [first] = parts;
  if (!first) throw new UserError('device bits needs at least one time step');
  const data = first.data.slice().fill(0 as never) as Numbers['data'];
  const all = new (data.constructor as Float32ArrayConstructor)(
    data.length * parts.length,
  ) as Numbers['data'];
  parts.forEach((part, index) => all.set(part.data as never, index * data.length));
  return { type: first.type, dims: [parts.length, ...first.dims], data: all };
}
