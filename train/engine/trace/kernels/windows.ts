import { backend_util } from '@tensorflow/tfjs-core';
import type { Value } from '../../../../schemas/onnx/index.ts';
import { type Recorder } from '../recorder.ts';
import { type Traced, unscaled } from '../traced.ts';
import type { KernelAttributes } from './kernel.ts';

/** How a window moves, as tfjs tells it of a convolution or a pool. */
export type Info = ReturnType<typeof backend_util.computeConv2DInfo>;
type Four = [number, number, number, number];

/** Attributes of windows in ONNX. */
export const windowOf = (info: Info) => ({
  kernel_shape: [info.filterHeight, info.filterWidth],
  strides: [info.strideHeight, info.strideWidth],
  pads: [info.padInfo.top, info.padInfo.left, info.padInfo.bottom, info.padInfo.right],
});

export function convolutionInfo(
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

export const poolInfo = (x: Traced, { filterSize, strides, pad, dimRoundingMode }: KernelAttributes): Info =>
  backend_util.computePool2DInfo(
    [...x.shape] as Four,
    filterSize as number,
    strides as number,
    1,
    pad as 'valid',
    dimRoundingMode as undefined,
  );

export const transposed = (recorder: Recorder, value: Value, perm: readonly number[]): Value =>
  recorder.node('Transpose', [value], { perm });

/** [batch, height, width, channels] as ONNX has it: channels first, after the batch. */
export const channelsFirst = (recorder: Recorder, x: Traced): Value =>
  transposed(recorder, recorder.value(unscaled(x)), [0, 3, 1, 2]);

export const channelsLast = (recorder: Recorder, value: Value, shape: readonly number[]): Traced =>
  recorder.traced('Transpose', [value], { perm: [0, 2, 3, 1] }, shape, 'float32');

/** What a transposed convolution lacks of a plane: rows and columns that no window reached. */
export const unreached = (info: Info): number[] => {
  const { padInfo } = info;
  return [
    info.inHeight -
      ((info.outHeight - 1) * info.strideHeight + info.filterHeight - padInfo.top - padInfo.bottom),
    info.inWidth - ((info.outWidth - 1) * info.strideWidth + info.filterWidth - padInfo.left - padInfo.right),
  ];
};
