import { UserError } from '../../schemas/errors.ts';
import { arrayOf, countOf, type NumberArray, type Numbers } from './numbers.ts';
import { given, type Inputs, type Operator, type OperatorContext, type Operators } from './operator.ts';
import { asInt32, fromZero, productsAreExact } from './sums.ts';

/** Where windows stand along one axis. */
export interface Stops {
  readonly size: number;
  readonly stride: number;
  readonly dilation: number;
  readonly before: number;
  readonly after: number;
  /** How many windows there are. */
  readonly count: number;
}

/** @param given attributes of the operator @param size of the windows, as the filter has it */
export function stopsOf(
  { attributes }: OperatorContext,
  plane: readonly number[],
  size: readonly number[],
): Stops[] {
  const strides = attributes.ints('strides');
  const dilations = attributes.ints('dilations');
  const pads = attributes.ints('pads');
  const auto = attributes.string('auto_pad', 'NOTSET');
  const round = attributes.int('ceil_mode', 0) === 1 ? Math.ceil : Math.floor;
  return plane.map((length, axis) => {
    const [stride, dilation] = [strides?.[axis] ?? 1, dilations?.[axis] ?? 1];
    const reach = ((size[axis] as number) - 1) * dilation + 1;
    let [before, after] = [pads?.[axis] ?? 0, pads?.[axis + plane.length] ?? 0];
    if (auto.startsWith('SAME')) {
      const missing = Math.max(0, (Math.ceil(length / stride) - 1) * stride + reach - length);
      before = auto === 'SAME_UPPER' ? Math.floor(missing / 2) : Math.ceil(missing / 2);
      after = missing - before;
    }
    let count = round((length + before + after - reach) / stride) + 1;
    // A window that would start beyond the data and the padding before them is none.
    if (round === Math.ceil && (count - 1) * stride >= length + before) count--;
    return { size: size[axis] as number, stride, dilation, before, after, count };
  });
}

/** Sums of products of windows of planes [batch, channels, height, width] with filters, in float64. */
function convolved(x: Numbers, weight: Numbers, stops: readonly Stops[], groups: number) {
  const [batch = 0, channels = 0, height = 0, width = 0] = x.dims;
  const [filters = 0, depth = 0] = weight.dims;
  const [down, across] = stops as [Stops, Stops];
  if (channels !== depth * groups || filters % groups !== 0)
    throw new UserError(
      `${channels} channels do not fit filters [${weight.dims.join(', ')}] in ${groups} groups`,
    );
  const plane = down.count * across.count;
  const sums = arrayOf('float64', batch * filters * plane) as Float64Array<ArrayBuffer>;
  const perGroup = filters / groups;
  for (let image = 0; image < batch; image++) {
    for (let filter = 0; filter < filters; filter++) {
      const sum = sums.subarray((image * filters + filter) * plane, (image * filters + filter + 1) * plane);
      const first = Math.floor(filter / perGroup) * depth;
      for (let channel = 0; channel < depth; channel++) {
        const from = (image * channels + first + channel) * height * width;
        const taps = (filter * depth + channel) * down.size * across.size;
        addChannel(sum, x.data, { from, height, width }, weight.data, taps, [down, across]);
      }
    }
  }
  return { dims: [batch, filters, down.count, across.count], data: sums };
}

function addChannel(
  sum: Float64Array,
  x: NumberArray,
  { from, height, width }: Record<'from' | 'height' | 'width', number>,
  weight: NumberArray,
  taps: number,
  [down, across]: readonly [Stops, Stops],
): void {
  for (let tap = 0; tap < down.size * across.size; tap++) {
    const factor = weight[taps + tap] as number;
    if (factor === 0) continue;
    const rowStart = Math.floor(tap / across.size) * down.dilation - down.before;
    const columnStart = (tap % across.size) * across.dilation - across.before;
    for (let top = 0; top < down.count; top++) {
      const row = top * down.stride + rowStart;
      if (row < 0 || row >= height) continue;
      for (let left = 0; left < across.count; left++) {
        const column = left * across.stride + columnStart;
        if (column < 0 || column >= width) continue;
        const at = top * across.count + left;
        sum[at] = (sum[at] as number) + factor * (x[from + row * width + column] as number);
      }
    }
  }
}

const windowsOf = (inputs: Inputs, context: OperatorContext) => {
  const [x, weight] = [given(inputs, 0), given(inputs, 1)];
  if (x.dims.length !== 4 || weight.dims.length !== 4)
    throw new UserError('the reference convolves planes [batch, channels, height, width] only');
  return stopsOf(context, x.dims.slice(2), weight.dims.slice(2));
};

const conv: Operator = (inputs, context) => {
  const [x, weight, bias] = [given(inputs, 0), given(inputs, 1), inputs[2]];
  const stops = windowsOf(inputs, context);
  const { dims, data } = convolved(x, weight, stops, context.attributes.int('group', 1));
  const plane = (dims[2] as number) * (dims[3] as number);
  const found = arrayOf(x.type, data.length);
  for (let index = 0; index < data.length; index++) {
    const offset = bias ? (bias.data[Math.floor(index / plane) % (dims[1] as number)] as number) : 0;
    found[index] = (data[index] as number) + offset;
  }
  const exact = productsAreExact(x, weight, countOf(weight.dims.slice(1)), bias);
  return [{ type: x.type, dims, data: found, exact }];
};

const convInteger: Operator = (inputs, context) => {
  const [x, weight] = [fromZero(given(inputs, 0), inputs[2], 0), fromZero(given(inputs, 1), inputs[3], 0)];
  const found = convolved(x, weight, windowsOf(inputs, context), context.attributes.int('group', 1));
  return [asInt32(found, x.exact && weight.exact)];
};

export const convolutions: Operators = { Conv: conv, ConvInteger: convInteger };
