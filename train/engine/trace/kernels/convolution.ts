import type { Value } from '../../../../schemas/onnx/index.ts';
import { type Recorder } from '../recorder.ts';
import { factorOf, scaled, type Traced, unscaled } from '../traced.ts';
import { type KernelTable, operand } from './kernel.ts';
import {
  channelsFirst,
  channelsLast,
  convolutionInfo,
  type Info,
  transposed,
  unreached,
  windowOf,
} from './windows.ts';

/** From so many filters on a matrix product keeps the lanes of a processor busy. */
const MANY_FILTERS = 32;
/** Bytes of the largest matrix of windows that is written out: more would leave the caches, and memory. */
const LARGEST_MATRIX = 2 ** 25;

/** From so many channels on a convolution with flipped filters is faster than a transposed one. */
const MANY_CHANNELS = 8;

/**
 * Whether the windows are written out as the rows of a matrix, which the products with filters and the gradients of
 * all filters then share; otherwise Conv gathers them, plane by plane, in each.
 */
const isMatrix = ({ batchSize, outHeight, outWidth, filterHeight, filterWidth, ...info }: Info): boolean =>
  info.outChannels >= MANY_FILTERS &&
  4 * batchSize * outHeight * outWidth * filterHeight * filterWidth * info.inChannels <= LARGEST_MATRIX;

/** Up to so many channels and filters one matrix product for all places of a filter beats one for each. */
const FEW = 8;

const isNarrow = ({ inChannels, outChannels, strideHeight, strideWidth }: Info): boolean =>
  inChannels <= FEW && outChannels <= FEW && strideHeight === 1 && strideWidth === 1;

/** [height, width, channels, filters] → [filters, channels, height, width]. */
const filtersFirst = (recorder: Recorder, filter: Value): Value => transposed(recorder, filter, [3, 2, 0, 1]);

/** Every window's numbers at one place of the window, [batch, out height, out width, channels], place by place. */
function placesOfWindows(recorder: Recorder, x: Traced, info: Info): Value[] {
  const { padInfo, outHeight, outWidth, strideHeight, strideWidth } = info;
  const { top, left, bottom, right } = padInfo;
  const value = recorder.value(unscaled(x));
  const padded =
    top + left + bottom + right === 0
      ? value
      : recorder.node('Pad', [value, recorder.integers([0, top, left, 0, 0, bottom, right, 0])]);
  const axes = recorder.integers([1, 2]);
  const steps = recorder.integers([strideHeight, strideWidth]);
  return Array.from({ length: info.filterHeight * info.filterWidth }, (_, place) => {
    const [row, column] = [Math.floor(place / info.filterWidth), place % info.filterWidth];
    const ends = [row + (outHeight - 1) * strideHeight + 1, column + (outWidth - 1) * strideWidth + 1];
    return recorder.node('Slice', [
      padded,
      recorder.integers([row, column]),
      recorder.integers(ends),
      axes,
      steps,
    ]);
  });
}

/** A window in every row, [batch · windows, height · width · channels]. */
function matrixOfWindows(recorder: Recorder, x: Traced, info: Info): Value {
  const { batchSize, outHeight, outWidth, filterHeight, filterWidth, inChannels } = info;
  const places = placesOfWindows(recorder, x, info);
  const windows = places.length > 1 ? recorder.node('Concat', places, { axis: 3 }) : places[0]!;
  const shape = [batchSize * outHeight * outWidth, filterHeight * filterWidth * inChannels];
  return recorder.node('Reshape', [windows, recorder.integers(shape)]);
}

const reshaped = (recorder: Recorder, value: Value, shape: readonly number[]): Traced =>
  recorder.traced('Reshape', [value, recorder.integers(shape)], {}, shape, 'float32');

const rowsOf = (recorder: Recorder, x: Traced): Value => {
  const columns = x.shape.at(-1) as number;
  const rows = x.shape.slice(0, -1).reduce((product, size) => product * size, 1);
  return recorder.node('Reshape', [recorder.value(unscaled(x)), recorder.integers([rows, columns])]);
};

export const convolutions: KernelTable = {
  Conv2D: (recorder, operands, attributes) => {
    const x = operand(operands, 'x');
    const filter = operand(operands, 'filter');
    const info = convolutionInfo(x.shape, filter.shape, attributes);
    const factor = factorOf(x) * factorOf(filter);
    if (isMatrix(info)) {
      const matrices = [matrixOfWindows(recorder, x, info), rowsOf(recorder, filter)];
      const { batchSize, outHeight, outWidth, outChannels, outShape } = info;
      const shape = [batchSize * outHeight * outWidth, outChannels];
      const sums = recorder.traced('Gemm', matrices, {}, shape, 'float32');
      return scaled(reshaped(recorder, recorder.value(sums), outShape), factor);
    }
    const filters = filtersFirst(recorder, recorder.value(unscaled(filter)));
    const sums = recorder.node('Conv', [channelsFirst(recorder, x), filters], windowOf(info));
    return scaled(channelsLast(recorder, sums, info.outShape), factor);
  },

  Conv2DBackpropInput: (recorder, operands, attributes) => {
    const dy = operand(operands, 'dy');
    const filter = operand(operands, 'filter');
    const info = convolutionInfo(attributes.inputShape as number[], filter.shape, attributes);
    const value = recorder.value(unscaled(filter));
    const found =
      info.strideHeight === 1 && info.strideWidth === 1 && info.inChannels >= MANY_CHANNELS
        ? recorder.node('Conv', [channelsFirst(recorder, dy), flipped(recorder, value)], backwards(info))
        : recorder.node('ConvTranspose', [channelsFirst(recorder, dy), filtersFirst(recorder, value)], {
            ...windowOf(info),
            output_padding: unreached(info),
          });
    return scaled(channelsLast(recorder, found, info.inShape), factorOf(dy) * factorOf(filter));
  },

  Conv2DBackpropFilter: (recorder, operands, attributes) => {
    const x = operand(operands, 'x');
    const dy = operand(operands, 'dy');
    const shape = attributes.filterShape as number[];
    const info = convolutionInfo(x.shape, shape, attributes);
    const factor = factorOf(x) * factorOf(dy);
    if (isNarrow(info)) return scaled(narrowFilterGradient(recorder, x, dy, info, shape), factor);
    const gradients = rowsOf(recorder, dy);
    const product = (windows: Value): Value => recorder.node('Gemm', [windows, gradients], { transA: 1 });
    const rows = recorder.integers([info.batchSize * info.outHeight * info.outWidth, info.inChannels]);
    // One product per place of the filter takes no matrix of windows.
    const whole = isMatrix(info)
      ? product(matrixOfWindows(recorder, x, info))
      : recorder.node(
          'Concat',
          placesOfWindows(recorder, x, info).map((place) => product(recorder.node('Reshape', [place, rows]))),
          { axis: 0 },
        );
    return scaled(reshaped(recorder, whole, shape), factor);
  },
};

/** Filters turned by half a turn, [channels, filters, height, width]: what leads from filters back to channels. */
function flipped(recorder: Recorder, filter: Value): Value {
  const [both, least] = [recorder.integers([-1, -1]), recorder.integers([-(2 ** 31), -(2 ** 31)])];
  const turned = recorder.node('Slice', [filter, both, least, recorder.integers([0, 1]), both]);
  return transposed(recorder, turned, [2, 3, 0, 1]);
}

/** The windows of stride 1 that lead from what a convolution gave back to what it was given. */
function backwards(info: Info) {
  const { padInfo, filterHeight, filterWidth, inHeight, inWidth, outHeight, outWidth } = info;
  const [top, left] = [filterHeight - 1 - padInfo.top, filterWidth - 1 - padInfo.left];
  return {
    kernel_shape: [filterHeight, filterWidth],
    strides: [1, 1],
    pads: [
      top,
      left,
      inHeight - outHeight + filterHeight - 1 - top,
      inWidth - outWidth + filterWidth - 1 - left,
    ],
  };
}

/**
 * The gradient by few filters on few channels, of stride 1: a product of x moved to every column of the filter with
 * dy moved to every row of it has all of its places, and is less narrow than a product for each.
 */
function narrowFilterGradient(
  recorder: Recorder,
  x: Traced,
  dy: Traced,
  { padInfo, filterHeight, filterWidth, inChannels, outChannels }: Info,
  shape: readonly number[],
): Traced {
  const { top, bottom, left, right } = padInfo;
  const stacked = (value: Value, moves: readonly (readonly number[])[]): Value => {
    const moved = moves.map(([up = 0, before = 0, down = 0, after = 0]) =>
      recorder.node('Pad', [value, recorder.integers([0, 0, up, before, 0, 0, down, after])]),
    );
    const planes = moved.length > 1 ? recorder.node('Concat', moved, { axis: 1 }) : moved[0]!;
    return recorder.node('Reshape', [planes, recorder.integers([0, 0, -1])]);
  };
  // Zeros less than none cut columns off.
  const columns = Array.from({ length: filterWidth }, (_, at) => [
    top,
    left - at,
    bottom,
    right - (filterWidth - 1 - at),
  ]);
  const rows = Array.from({ length: filterHeight }, (_, at) => [at, 0, filterHeight - 1 - at, 0]);
  const products = recorder.node(
    'FusedMatMul',
    [stacked(channelsFirst(recorder, x), columns), stacked(channelsFirst(recorder, dy), rows)],
    { transB: 1 },
    'com.microsoft',
  );
  const sum = recorder.node('ReduceSum', [products, recorder.integers([0])], { keepdims: 0 });
  const apart = recorder.integers([filterWidth, inChannels, filterHeight, outChannels]);
  const places = recorder.node('Reshape', [sum, apart]);
  return recorder.traced('Transpose', [places], { perm: [2, 0, 1, 3] }, shape, 'float32');
}
