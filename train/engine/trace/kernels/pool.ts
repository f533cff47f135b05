import type { Value } from '../../../../schemas/onnx/index.ts';
import { factorOf, scaled, type Traced } from '../traced.ts';
import { type KernelTable, operand } from './kernel.ts';
import { channelsFirst, channelsLast, poolInfo, transposed, unreached, windowOf } from './windows.ts';

export const pools: KernelTable = {
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
