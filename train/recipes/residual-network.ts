import { conv2d } from '../../schemas/layers/conv2d.ts';
import { dense } from '../../schemas/layers/dense.ts';
import { globalAveragePool } from '../../schemas/layers/global-pool.ts';
import type { LayerSpec } from '../../schemas/layers/index.ts';
import { readout } from '../../schemas/layers/readout.ts';
import { residual } from '../../schemas/layers/residual.ts';

/** Residual pairs of convolutions of one width; all stages but the first halve the plane. */
export interface Stage {
  readonly filters: number;
  readonly pairs: number;
}

/**
 * A residual network of neurons: a first convolution, then pairs whose input spikes are added to their output spikes,
 * so that small whole numbers flow on; at a widening, the mean of 2 × 2 and channels of zeros. Convolutions are 3 × 3,
 * 1 + 2 · Σ pairs of them. After the last, the mean over the plane and a linear readout.
 *
 * @param neuron of every layer
 * @param own what else every layer with weights is told
 */
export function residualLayers(
  stages: readonly Stage[],
  neuron: LayerSpec,
  classes: number,
  own: { readonly perStep?: true } = {},
): LayerSpec[] {
  const convolution = (filters: number, stride = 1): LayerSpec[] => [
    conv2d({ filters, size: 3, stride, ...own }),
    neuron,
  ];
  const pairsOf = ({ filters, pairs }: Stage, index: number): LayerSpec[] =>
    Array.from({ length: pairs }, (_, pair) =>
      residual({
        layers: [...convolution(filters, index > 0 && pair === 0 ? 2 : 1), ...convolution(filters)],
      }),
    );
  return [
    ...convolution(stages[0]!.filters),
    ...stages.flatMap(pairsOf),
    globalAveragePool(),
    dense({ units: classes, ...own }),
    readout(),
  ];
}
