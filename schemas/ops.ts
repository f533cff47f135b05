/**
 * The arithmetic that every layer is written in.
 *
 * `V` is a pair of moments while training, a value of an ONNX graph while exporting, and a plain array in
 * the reference interpreter, so one equation serves all three. A new operation is one member here; the
 * compiler then names every interpreter that lacks it.
 *
 * Activations have shape [batch, …features]; parameters have no batch axis and broadcast over it.
 */
export interface Ops<V> {
  /** `x · weight`: activations [batch, in] by a weight [in, out] → [batch, out]. */
  linear(x: V, weight: V): V;

  /** `x ⊙ factor`, the factor [features] broadcast over the batch. */
  multiply(x: V, factor: V): V;

  /** `x + term`, the term [features] broadcast over the batch. */
  add(x: V, term: V): V;

  /** 1 where `membrane > threshold`, else 0. A membrane at exactly the threshold does not fire. */
  spike(membrane: V, threshold: number): V;

  /** What a readout reports of a current: a draw of it while it is uncertain, itself once it is frozen. */
  read(current: V): V;
}
