import * as tf from '@tensorflow/tfjs-core';

/** Gradients inside a kernel, or inside another gradient: tfjs keeps one tape, and records nothing inside kernels. */
function onTapeOfItsOwn<T>(run: () => T): T {
  const { state } = tf.engine();
  const { activeTape, gradientDepth, kernelDepth } = state;
  Object.assign(state, { activeTape: null, gradientDepth: 0, kernelDepth: 0 });
  try {
    return run();
  } finally {
    Object.assign(state, { activeTape, gradientDepth, kernelDepth });
  }
}

/**
 * The gradients of what is computed by those of the results, Σ result · gradient differentiated, by tensors.
 *
 * @param compute from the very tensors; results without a gradient count nothing
 * @returns none for tensors that it does not depend on
 */
export function gradientsOf(
  compute: () => readonly { readonly value: tf.Tensor; readonly gradient: tf.Tensor | undefined }[],
  tensors: readonly tf.Tensor[],
): (tf.Tensor | undefined)[] {
  const loss = (): tf.Tensor => {
    const terms = compute().flatMap(({ value, gradient }) =>
      gradient ? [tf.sum(tf.mul(value, gradient))] : [],
    );
    return terms.length > 0 ? tf.addN(terms) : tf.scalar(0);
  };
  const { grads } = onTapeOfItsOwn(() => tf.engine().gradients(loss, [...tensors], null as never, true));
  return grads.map((gradient: tf.Tensor | null | undefined) => gradient ?? undefined);
}
