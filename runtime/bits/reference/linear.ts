import { UserError } from '../../../schemas/errors.ts';
import { type FlatNode, floatOf, intOf, intsOf, textOf } from '../flat-graph.ts';
import {
  broadcastIndices,
  fitting,
  misfit,
  needed,
  type Numbers,
  plain,
  type Reference,
  sizeOf,
  tensorOf,
} from './tensors.ts';

/** A plane's windows, as Conv and the pools have them. */
export interface Windows {
  readonly size: readonly [number, number];
  readonly stride: readonly [number, number];
  /** Places before the first row and column, behind the last ones. */
  readonly pads: readonly [number, number, number, number];
  /** Windows down and across. */
  readonly down: number;
  readonly across: number;
}

const pair = (list: readonly number[] | undefined): [number, number] => [list?.[0] ?? 1, list?.[1] ?? 1];

/** @param x [batch, channels, height, width] @throws UserError for what networks of this toolkit do not have */
export function windowsOf(node: FlatNode, x: readonly number[], size: readonly [number, number]): Windows {
  const [, , height = 0, width = 0] = x;
  const stride = pair(intsOf(node, 'strides'));
  const [top = 0, left = 0, bottom = 0, right = 0] = intsOf(node, 'pads') ?? [];
  const dilated = intsOf(node, 'dilations')?.some((dilation) => dilation !== 1) ?? false;
  const odd = dilated || textOf(node, 'auto_pad', 'NOTSET') !== 'NOTSET' || intOf(node, 'ceil_mode', 0) !== 0;
  if (x.length !== 4 || odd) {
    throw new UserError(
      `${node.op} '${node.name}': device bits takes planes without dilation, with explicit padding; open the model on device cpu`,
    );
  }
  const down = Math.floor((height + top + bottom - size[0]) / stride[0]) + 1;
  const across = Math.floor((width + left + right - size[1]) / stride[1]) + 1;
  if (!(down > 0 && across > 0)) throw misfit(node, x, size);
  return { size, stride, pads: [top, left, bottom, right], down, across };
}

/** x [..., k] by w [k, n]. */
function product(node: FlatNode, x: Numbers, w: Numbers): { dims: number[]; sums: Float64Array } {
  const inputs = x.dims.at(-1) ?? 0;
  const [rows = 0, outputs = 0] = w.dims;
  if (w.dims.length !== 2 || rows !== inputs || x.dims.length < 1) throw misfit(node, x.dims, w.dims);
  const dims = [...x.dims.slice(0, -1), outputs];
  const sums = new Float64Array(fitting(sizeOf(dims)));
  const [values, weights] = [plain(x), plain(w)];
  for (let row = 0; row * inputs < values.length; row++) {
    for (let input = 0; input < inputs; input++) {
      const value = values[row * inputs + input] as number;
      if (value === 0) continue;
      for (let output = 0; output < outputs; output++) {
        const at = row * outputs + output;
        sums[at] = (sums[at] as number) + value * (weights[input * outputs + output] as number);
      }
    }
  }
  return { dims, sums };
}

const transposed = (x: Numbers): Numbers => {
  const [rows = 0, columns = 0] = x.dims;
  const numbers = plain(x);
  const turned = Float64Array.from(
    { length: rows * columns },
    (_, index) => numbers[(index % rows) * columns + Math.floor(index / rows)] as number,
  );
  return tensorOf(x.type, [columns, rows], turned);
};

const gemm: Reference = (node, inputs) => {
  const [a, b] = [needed(node, inputs, 0), needed(node, inputs, 1)];
  const x = intOf(node, 'transA', 0) ? transposed(a) : a;
  const w = intOf(node, 'transB', 0) ? transposed(b) : b;
  const { dims, sums } = product(node, x, w);
  const alpha = floatOf(node, 'alpha', 1);
  const beta = floatOf(node, 'beta', 1);
  const term = inputs[2] && { values: plain(inputs[2]), place: broadcastIndices(inputs[2].dims, dims) };
  return [
    tensorOf(
      'float32',
      dims,
      sums.map((sum, index) => alpha * sum + (term ? beta * (term.values[term.place(index)] as number) : 0)),
    ),
  ];
};

const zeroOf = (tensor: Numbers | undefined): number => Number(tensor?.data[0] ?? 0);

const shifted = (x: Numbers, zero: number): Numbers =>
  zero === 0
    ? x
    : tensorOf(
        'int32',
        x.dims,
        Float64Array.from(plain(x), (value) => value - zero),
      );

const convolve =
  (gives: 'float32' | 'int32'): Reference =>
  (node, inputs) => {
    const [x, w] = [needed(node, inputs, 0), needed(node, inputs, 1)];
    const values = plain(gives === 'int32' ? shifted(x, zeroOf(inputs[2])) : x);
    const weights = plain(gives === 'int32' ? shifted(w, zeroOf(inputs[3])) : w);
    const [batch = 0, channels = 0, height = 0, width = 0] = x.dims;
    const [filters = 0, seen = 0, tall = 0, wide = 0] = w.dims;
    const groups = intOf(node, 'group', 1);
    if (w.dims.length !== 4 || seen * groups !== channels || filters % groups !== 0)
      throw misfit(node, x.dims, w.dims);
    const { down, across, stride, pads } = windowsOf(node, x.dims, [tall, wide]);
    const bias = gives === 'float32' && inputs[2] ? plain(inputs[2]) : undefined;
    const sums = new Float64Array(fitting(batch * filters * down * across));
    let at = 0;
    for (let example = 0; example < batch; example++) {
      for (let filter = 0; filter < filters; filter++) {
        const first = Math.floor(filter / (filters / groups)) * seen;
        for (let row = 0; row < down; row++) {
          for (let column = 0; column < across; column++, at++) {
            let sum = bias ? (bias[filter] as number) : 0;
            for (let channel = 0; channel < seen; channel++) {
              for (let i = 0; i < tall; i++) {
                const y = row * stride[0] - pads[0] + i;
                if (y < 0 || y >= height) continue;
                for (let j = 0; j < wide; j++) {
                  const z = column * stride[1] - pads[1] + j;
                  if (z < 0 || z >= width) continue;
                  const value = values[
                    ((example * channels + first + channel) * height + y) * width + z
                  ] as number;
                  sum += value * (weights[((filter * seen + channel) * tall + i) * wide + j] as number);
                }
              }
            }
            sums[at] = sum;
          }
        }
      }
    }
    return [tensorOf(gives, [batch, filters, down, across], sums)];
  };

const pool =
  (kind: 'average' | 'maximum'): Reference =>
  (node, inputs) => {
    const x = needed(node, inputs, 0);
    const size = pair(intsOf(node, 'kernel_shape'));
    const { down, across, stride, pads } = windowsOf(node, x.dims, size);
    if (pads.some(Boolean))
      throw new UserError(
        `${node.op} '${node.name}': device bits pools without padding; open the model on device cpu`,
      );
    const [batch = 0, channels = 0, height = 0, width = 0] = x.dims;
    const values = plain(x);
    const found = new Float64Array(fitting(batch * channels * down * across));
    for (let at = 0; at < found.length; at++) {
      const column = at % across;
      const row = Math.floor(at / across) % down;
      const plane = Math.floor(at / (across * down)) * height * width;
      let result = kind === 'maximum' ? Number.NEGATIVE_INFINITY : 0;
      for (let i = 0; i < size[0]; i++) {
        for (let j = 0; j < size[1]; j++) {
          const value = values[plane + (row * stride[0] + i) * width + column * stride[1] + j] as number;
          result = kind === 'maximum' ? Math.max(result, value) : result + value;
        }
      }
      found[at] = kind === 'maximum' ? result : result / (size[0] * size[1]);
    }
    return [tensorOf(x.type, [batch, channels, down, across], found)];
  };

/** Operators that add products up, and those over windows. */
export const linear: Readonly<Record<string, Reference>> = {
  MatMul: (node, inputs) => {
    const { dims, sums } = product(node, needed(node, inputs, 0), needed(node, inputs, 1));
    return [tensorOf('float32', dims, sums)];
  },
  MatMulInteger: (node, inputs) => {
    const x = shifted(needed(node, inputs, 0), zeroOf(inputs[2]));
    const { dims, sums } = product(node, x, shifted(needed(node, inputs, 1), zeroOf(inputs[3])));
    return [tensorOf('int32', dims, sums)];
  },
  Gemm: gemm,
  Conv: convolve('float32'),
  ConvInteger: convolve('int32'),
  MaxPool: pool('maximum'),
  AveragePool: pool('average'),
  GlobalAveragePool: (node, inputs) => {
    const { dims } = needed(node, inputs, 0);
    const size = { type: 'ints' as const, value: dims.slice(2) };
    return pool('average')({ ...node, attributes: new Map([['kernel_shape', size]]) }, inputs);
  },
};
