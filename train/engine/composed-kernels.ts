import * as tf from '@tensorflow/tfjs-core';

type Four = [number, number, number, number];

/**
 * Σ over batch and places of xᵀ dy, for each place of the window: the gradient of a convolution by its filter, made
 * of strided slices and matrix products.
 *
 * @param x [batch, height, width, channels]; @param dy [batch, out height, out width, filters]
 */
function filterGradient(x: tf.Tensor4D, dy: tf.Tensor4D, attributes: tf.NamedAttrMap): tf.Tensor {
  const shape = attributes.filterShape as Four;
  const info = tf.backend_util.computeConv2DInfo(
    x.shape,
    shape,
    attributes.strides as number,
    1,
    attributes.pad as 'same',
    attributes.dimRoundingMode as undefined,
  );
  const { top, bottom, left, right } = info.padInfo;
  const { strideHeight, strideWidth, outHeight, outWidth } = info;
  const [batch, , , channels] = x.shape;
  const padded = tf.pad(x, [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ]);
  const gradients = tf.reshape(dy, [-1, info.outChannels]) as tf.Tensor2D;
  const places: tf.Tensor[] = [];
  for (let row = 0; row < info.filterHeight; row++) {
    for (let column = 0; column < info.filterWidth; column++) {
      const seen = tf.stridedSlice(
        padded,
        [0, row, column, 0],
        [
          batch,
          row + (outHeight - 1) * strideHeight + 1,
          column + (outWidth - 1) * strideWidth + 1,
          channels,
        ],
        [1, strideHeight, strideWidth, 1],
      );
      places.push(tf.matMul(tf.reshape(seen, [-1, channels]) as tf.Tensor2D, gradients, true, false));
    }
  }
  return tf.reshape(tf.stack(places), shape);
}

/** Kernels that backends of tfjs lack, made of those that they have. */
const composed: Readonly<Record<string, readonly string[]>> = { wasm: ['Conv2DBackpropFilter'] };

/** Gives a backend the kernels that a training needs and that it comes without. */
export function completeKernels(backendName: string): void {
  for (const kernelName of composed[backendName] ?? []) {
    if (tf.getKernel(kernelName, backendName)) continue;
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs }) =>
        tf.tidy(() => filterGradient(inputs.x as tf.Tensor4D, inputs.dy as tf.Tensor4D, attrs ?? {})),
    });
  }
}
