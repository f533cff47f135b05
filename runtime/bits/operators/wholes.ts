import { UserError } from '../../../schemas/errors.ts';
import type { Builder } from '../builder.ts';
import { reader, toHost } from '../exchange.ts';
import { type FlatNode, intOf } from '../flat-graph.ts';
import {
  arrayOf,
  broadcast,
  broadcastIndices,
  type Numbers,
  plain,
  reshapedDims,
  sizeOf,
  typeOfCode,
} from '../reference/index.ts';
import { dimsOf, type HostValue, typeOf, Unfit, type Value } from '../values.ts';
import type { Inputs, Operator } from './operator.ts';

/** More numbers than that are no sizes and no steps. */
const MOST = 4096;

/** Whole numbers of 64 bits, computed in plain code into an array that stays: which step each example is at. */
function whole(
  builder: Builder,
  dims: readonly number[],
  compute: (into: BigInt64Array) => void,
): readonly Value[] {
  if (builder.inLoop || sizeOf(dims) > MOST) throw new Unfit('many whole numbers of 64 bits');
  const data = new BigInt64Array(sizeOf(dims));
  const numbers: Numbers = { type: 'int64', dims, data };
  builder.steps.push(() => compute(data));
  return [{ kind: 'host', type: 'int64', dims, slot: { numbers } }];
}

function present(value: Value | undefined): Value {
  if (!value) throw new Unfit('an input that is left out');
  return value;
}

/** Where plain code finds the numbers of a value during a run. */
function dataOf<Data extends Numbers['data']>(builder: Builder, value: Value): () => Data {
  const { slot }: HostValue = toHost(builder, value);
  return () => (slot.numbers as Numbers).data as Data;
}

const pairwise =
  (compute: (a: bigint, b: bigint) => bigint): Operator =>
  (builder, node, inputs) => {
    const [a, b] = [present(inputs[0]), present(inputs[1])];
    if (inputs.length !== 2 || typeOf(a) !== 'int64' || typeOf(b) !== 'int64')
      throw new Unfit('no two whole numbers of 64 bits');
    const dims = broadcast(node, dimsOf(a), dimsOf(b));
    const [ofA, ofB] = [broadcastIndices(dimsOf(a), dims), broadcastIndices(dimsOf(b), dims)];
    const [first, second] = [a, b].map((each) => dataOf<BigInt64Array>(builder, each)) as [
      () => BigInt64Array,
      () => BigInt64Array,
    ];
    return whole(builder, dims, (into) => {
      const [from, by] = [first(), second()];
      for (let index = 0; index < into.length; index++)
        into[index] = compute(from[ofA(index)] as bigint, by[ofB(index)] as bigint);
    });
  };

/** Floats in memory without their fraction. */
const cast: Operator = (builder, node, inputs) => {
  const x = present(inputs[0]);
  if (typeOfCode(intOf(node, 'to', 0), node.name) !== 'int64' || x.kind !== 'rows' || x.type !== 'float32')
    throw new Unfit('no cast of real numbers to int64');
  if (sizeOf(x.dims) > MOST) throw new Unfit('many whole numbers of 64 bits');
  const read = reader(builder, x);
  const found = arrayOf('float32', sizeOf(x.dims)) as Float32Array;
  const { what } = builder.engine;
  return whole(builder, x.dims, (into) => {
    read(found);
    for (let index = 0; index < into.length; index++) {
      const value = Math.trunc(found[index] as number);
      if (!Number.isFinite(value))
        throw new UserError(`${what}: Cast '${node.name}' of ${value}; expected a whole number`);
      into[index] = BigInt(value);
    }
  });
};

const reshape: Operator = (builder, node: FlatNode, inputs: Inputs) => {
  const [x, shape] = [present(inputs[0]), present(inputs[1])];
  if (x.kind !== 'host' || x.type !== 'int64' || shape.kind !== 'constant')
    throw new Unfit('no whole numbers of 64 bits');
  const dims = reshapedDims(node, x.dims, Array.from(plain(shape.numbers())));
  if (sizeOf(dims) !== sizeOf(x.dims)) throw new Unfit('another size');
  const data = dataOf<BigInt64Array>(builder, x);
  return whole(builder, dims, (into) => into.set(data()));
};

/** Operators on whole numbers of 64 bits. */
const wholes: Readonly<Record<string, Operator>> = {
  Add: pairwise((a, b) => a + b),
  Sub: pairwise((a, b) => a - b),
  Min: pairwise((a, b) => (a < b ? a : b)),
  Max: pairwise((a, b) => (a > b ? a : b)),
  Cast: cast,
  Reshape: reshape,
};

/** One form of an operator, or else another. */
const either =
  (first: Operator, second: Operator): Operator =>
  (builder, node, inputs) => {
    try {
      return first(builder, node, inputs);
    } catch (error) {
      if (!(error instanceof Unfit)) throw error;
      try {
        return second(builder, node, inputs);
      } catch (other) {
        throw other instanceof Unfit ? error : other;
      }
    }
  };

/** Operators that also have a form for whole numbers of 64 bits. */
export const withWholes = (
  operators: Readonly<Record<string, Operator>>,
): Readonly<Record<string, Operator>> => ({
  ...operators,
  ...Object.fromEntries(
    Object.entries(wholes).map(([name, operator]) => {
      const first = operators[name];
      return [name, first ? either(first, operator) : operator];
    }),
  ),
});
