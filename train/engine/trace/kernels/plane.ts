import { backend_util } from '@tensorflow/tfjs-core';
import type { Value } from '../../../../schemas/onnx/index.ts';
import { type Recorder } from '../recorder.ts';
import { factorOf, scaled, type Traced, unscaled } from '../traced.ts';
import { type KernelAttributes, type KernelTable, operand } from './kernel.ts';

/** How a window moves, as tfjs tells it of a convolution or a pool. */
type Info = ReturnType<typeof backend_util.computeConv2DInfo>;
type Four = [number, number, number, number];

/** Attributes of windows in ONNX. */
const windowOf = (info: Info) => ({
  kernel_shape: [info.filterHeight, info.filterWidth],
  strides: [info.strideHeight, info.strideWidth],
  pads: [info.padInfo.top, info.padInfo.left, info.padInfo.bottom, info.padInfo.right],
});

function convolutionInfo(
  x: readonly number[],
  filter: readonly number[],
  attributes: KernelAttributes,
): Info {
  const { strides, pad, dataFormat, dimRoundingMode } = attributes;
  if (dataFormat !== 'NHWC') throw new Error('a traced convolution has its channels last');
  return backend_util.computeConv2DInfo(
    [...x] as Four,
    [...filter] as Four,
    strides as number,
    (attributes.dilations ?? 1) as number,
    pad as 'same',
    dimRoundingMode as undefined,
  );
}

const poolInfo = (x: Traced, { filterSize, strides, pad, dimRoundingMode }: KernelAttributes): Info =>
  backend_util.computePool2DInfo(
    [...x.shape] as Four,
    filterSize as number,
    strides as number,
    1,
    pad as 'valid',
    dimRoundingMode as undefined,
  );

const transposed = (recorder: Recorder, value: Value, perm: readonly number[]): Value =>
  recorder.node('Transpose', [value], { perm });

/** [batch, height, width, channels] as ONNX has it: channels first, after the batch. */
const channelsFirst = (recorder: Recorder, x: Traced): Value =>
  transposed(recorder, recorder.value(unscaled(x)), [0, 3, 1, 2]);

const channelsLast = (recorder: Recorder, value: Value, shape: readonly number[]): Traced =>
  recorder.traced('Transpose', [value], { perm: [0, 2, 3, 1] }, shape, 'float32');

/** [height, width, channels, filters] → [filters, channels, height, width]. */
const filtersFirst = (recorder: Recorder, filter: Traced): Value =>
  transposed(recorder, recorder.value(unscaled(filter)), [3, 2, 0, 1]);

/** What a transposed convolution lacks of a plane: rows and columns that no window reached. */
const unreached = (info: Info): number[] => {
  const { padInfo } = info;
  return [
    info.inHeight -
      ((info.outHeight - 1) * info.strideHeight + info.filterHeight - padInfo.top - padInfo.bottom),
    info.inWidth - ((info.outWidth - 1) * info.strideWidth + info.filterWidth - padInfo.left - padInfo.right),
  ];
};

/** Every strided window's numbers at one place of the window, [batch · windows, channels], place by place. */
function placesOfWindows(recorder: Recorder, x: Traced, info: Info): Value[] {
  const { padInfo, batchSize, outHeight, outWidth, inChannels, strideHeight, strideWidth } = info;
  const { top, left, bottom, right } = padInfo;
  const value = recorder.value(unscaled(x));
  const padded =
    top + left + bottom + right === 0
      ? value
      : recorder.node('Pad', [value, recorder.integers([0, top, left, 0, 0, bottom, right, 0])]);
  const rows = recorder.integers([batchSize * outHeight * outWidth, inChannels]);
  const axes = recorder.integers([1, 2]);
  const steps = recorder.integers([strideHeight, strideWidth]);
  return Array.from({ length: info.filterHeight * info.filterWidth }, (_, place) => {
    const [y, x0] = [Math.floor(place / info.filterWidth), place % info.filterWidth];
    const ends = [y + (outHeight - 1) * strideHeight + 1, x0 + (outWidth - 1) * strideWidth + 1];
    const box = [recorder.integers([y, x0]), recorder.integers(ends), axes, steps];
    return recorder.node('Reshape', [recorder.node('Slice', [padded, ...box]), rows]);
  });
}

export const planes: KernelTable = {
  Conv2D: (recorder, operands, attributes) => {
    const x = operand(operands, 'x');
    const filter = operand(operands, 'filter');
    const info = convolutionInfo(x.shape, filter.shape, attributes);
    const sums = recorder.node(
      'Conv',
      [channelsFirst(recorder, x), filtersFirst(recorder, filter)],
      windowOf(info),
    );
    return scaled(channelsLast(recorder, sums, info.outShape), factorOf(x) * factorOf(filter));
  },

  Conv2DBackpropInput: (recorder, operands, attributes) => {
    const dy = operand(operands, 'dy');
    const filter = operand(operands, 'filter');
    const info = convolutionInfo(attributes.inputShape as number[], filter.shape, attributes);
    const found = recorder.node(
      'ConvTranspose',
      [channelsFirst(recorder, dy), filtersFirst(recorder, filter)],
      { ...windowOf(info), output_padding: unreached(info) },
    );
    return scaled(channelsLast(recorder, found, info.inShape), factorOf(dy) * factorOf(filter));
  },

  // One product per place of the filter: as fast as one product of all windows, which take so many times the memory.
  Conv2DBackpropFilter: (recorder, operands, attributes) => {
    const x = operand(operands, 'x');
    const dy = operand(operands, 'dy');
    const shape = attributes.filterShape as number[];
    const info = convolutionInfo(x.shape, shape, attributes);
    const { batchSize, outHeight, outWidth, outChannels } = info;
    const factor = factorOf(x) * factorOf(dy);
    const rows = recorder.integers([batchSize * outHeight * outWidth, outChannels]);
    const gradients = recorder.node('Reshape', [recorder.value(unscaled(dy)), rows]);
    const products = placesOfWindows(recorder, x, info).map((place) =>
      recorder.node('Gemm', [place, gradients], { transA: 1 }),
    );
    const whole = recorder.node('Concat', products, { axis: 0 });
    return scaled(
      recorder.traced('Reshape', [whole, recorder.integers(shape)], {}, shape, 'float32'),
      factor,
    );
  },

  AvgPool: (recorder, operands, attributes) => {
    const x = operand(operands, 'x');
    const info = poolInfo(x, attributes);
    const means = recorder.node('AveragePool', [channelsFirst(recorder, x)], windowOf(info));
    return scaled(channelsLast(recorder, means, info.outShape), factorOf(x));
  },

  // Every window spreads its gradient evenly: a transposed convolution, plane by plane, with ones.
  AvgPoolGrad: (recorder, operands, attributes) => {
    const dy = operand(operands, 'dy');
    const info = poolInfo(operand(operands, 'input'), attributes);
    const { batchSize, inChannels, inHeight, inWidth, outHeight, outWidth, filterHeight, filterWidth } = info;
    const list = [batchSize * inChannels, 1, outHeight, outWidth];
    const each = recorder.node('Reshape', [channelsFirst(recorder, dy), recorder.integers(list)]);
    const area = filterHeight * filterWidth;
    const ones = recorder.tensor(new Float32Array(area).fill(1 / area), [1, 1, filterHeight, filterWidth]);
    const spread = recorder.node('ConvTranspose', [each, recorder.value(ones)], {
      ...windowOf(info),
      output_padding: unreached(info),
    });
    const first = recorder.integers([batchSize, inChannels, inHeight, inWidth]);
    const whole = recorder.node('Reshape', [spread, first]);
    return scaled(channelsLast(recorder, whole, info.inShape), factorOf(dy));
  },

  // A negative number carried along would turn the order around.
  MaxPool: (recorder, operands, attributes) => {
    const x = operand(operands, 'x');
    const info = poolInfo(x, attributes);
    const first = transposed(recorder, recorder.value(x), [0, 3, 1, 2]);
    return channelsLast(recorder, recorder.node('MaxPool', [first], windowOf(info)), info.outShape);
  },

  // Each gradient goes to the place that MaxPool found the largest at, the first where there are several.
  MaxPoolGrad: (recorder, operands, attributes) => {
    const dy = operand(operands, 'dy');
    const x = operand(operands, 'input');
    const info = poolInfo(x, attributes);
    const { batchSize, inChannels, inHeight, inWidth, outHeight, outWidth } = info;
    const first = transposed(recorder, recorder.value(x), [0, 3, 1, 2]);
    const shape = [batchSize, inChannels, outHeight, outWidth];
    const [, places] = recorder.nodes('MaxPool', [first], windowOf(info), [shape, shape]);
    const flat = (value: Value): Value => recorder.node('Reshape', [value, recorder.integers([-1])]);
    const size = batchSize * inChannels * inHeight * inWidth;
    const zeros = recorder.node('Expand', [recorder.scalar(0, 'float32'), recorder.integers([size])]);
    const scattered = recorder.node(
      'ScatterElements',
      [zeros, flat(recorder.value(places as Traced)), flat(channelsFirst(recorder, dy))],
      { axis: 0, reduction: 'add' },
    );
    const whole = [batchSize, inChannels, inHeight, inWidth];
    const spread = recorder.node('Reshape', [scattered, recorder.integers(whole)]);
    return scaled(channelsLast(recorder, spread, info.inShape), factorOf(dy));
  },
};
