import type { Builder } from '../builder.ts';
import type { Sums } from '../expression.ts';
import type { Windows } from '../reference/index.ts';
import type { Weights } from '../weights.ts';
import type { Source } from './sources.ts';

/** Bytes of sums that are computed at once: they stay in the first-level cache until they are used. */
const TILE = 32768;

/**
 * Part of the inputs up to which adding up the weights of those that fire is faster than counting over all, where the
 * outputs fill whole vectors of 128; measured, see docs/bits.md. Rows below `LEAST` inputs are always counted over all.
 */
const SPARSE = 0.45;
const LEAST = 256;
/** What the counters of the sparse kernel can hold. */
const COUNTABLE = 8191;

function sparseLimit({ inputs, outputs }: Weights): number {
  const filled = outputs / (Math.ceil(outputs / 128) * 128);
  return Math.min(COUNTABLE, Math.floor(inputs * SPARSE * filled));
}

/** Padding that a kernel writes behind the sums of a group falls into the next one's place, or into this. */
const widthOf = ({ groups, outputs }: Weights): number =>
  Math.ceil((groups * outputs + (groups > 1 ? 15 : 0)) / 16) * 16;

const tileOf = (stride: number): number => Math.max(2, Math.floor(TILE / stride) & ~1);

/** Sums of rows under a matrix. */
export function denseSums(builder: Builder, source: Source, weights: Weights, rows: number): Sums {
  const { kernels } = builder.engine;
  const stride = widthOf(weights) * 4;
  const tile = tileOf(stride);
  if (source.kind === 'floats') {
    const prepare = () => {
      const add = floatKernel(builder, weights, 0, stride);
      return (first: number, count: number, y: number) =>
        add(source.at + first * source.bytes, count, source.bytes, y);
    };
    return { rows, stride, tile, prepare };
  }
  const prepare = () => {
    const { at: w, bytes, outputs } = weights.byOutputs(0);
    const sparse = weights.inputs >= LEAST && builder.engine.simd;
    const t = sparse ? weights.byInputs(0).at : 0;
    const limit = sparse ? sparseLimit(weights) : -1;
    const scratch = builder.allocate(tile * 4 + bytes * 32 + 512);
    return (first: number, count: number, y: number): void => {
      const planes = source.planes();
      const x = source.at + first * bytes * planes;
      kernels.dense(x, w, t, y, count, outputs, bytes, planes, stride, planes === 1 ? limit : -1, scratch);
    };
  };
  return { rows, stride, tile, prepare };
}

/** Sums of floats under the weights of one group. */
function floatKernel({ engine }: Builder, weights: Weights, group: number, stride: number) {
  const { kernels } = engine;
  const inputs = weights.taps * weights.inputs;
  const width = Math.ceil(weights.outputs / 16) * 16;
  const { at, bytes } = weights.magnitude === undefined ? weights.real(group) : weights.byInputs(group);
  return (x: number, rows: number, xBytes: number, y: number): void => {
    if (weights.magnitude === undefined) kernels.floatDense(x, at, y, rows, inputs, width, xBytes, stride);
    else kernels.signedDense(x, at, y, rows, inputs, width, xBytes, stride, bytes);
  };
}

/** Planes and the windows on them. */
interface Planes extends Windows {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
}

/** Sums of the windows of planes under filters. */
export function windowSums(builder: Builder, source: Source, weights: Weights, planes: Planes): Sums {
  const rows = planes.batch * planes.down * planes.across;
  const stride = widthOf(weights) * 4;
  const isFloat = source.kind === 'floats';
  const bits = weights.inputs * (isFloat ? 32 : 1);
  const bytes = Math.ceil((weights.taps * Math.ceil(bits / 8)) / 16) * 16;
  const levels = isFloat ? 1 : source.mostPlanes;
  const tile = tileOf(Math.max(stride, bytes * levels));
  const prepare = () => {
    const { kernels } = builder.engine;
    const { height, width, down, across, size, stride: step, pads } = planes;
    const patches = builder.allocate(tile * bytes * levels);
    const scratch = builder.allocate(tile * 4 + 512);
    const groups = Array.from({ length: weights.groups }, (_, group) => ({
      from: group * bits,
      column: group * weights.outputs * 4,
      add: isFloat ? floatKernel(builder, weights, group, stride) : undefined,
      packed: isFloat ? undefined : weights.byOutputs(group),
    }));
    return (first: number, count: number, y: number): void => {
      const now = isFloat ? 1 : source.planes();
      for (const { from, column, add, packed } of groups) {
        kernels.copyPatches(
          source.at,
          patches,
          first,
          count,
          height,
          width,
          down,
          across,
          size[0],
          size[1],
          step[0],
          step[1],
          pads[0],
          pads[1],
          now,
          source.bytes,
          bytes,
          from,
          bits,
        );
        const target = y + column;
        if (add) add(patches, count, bytes, target);
        else if (packed)
          kernels.dense(
            patches,
            packed.at,
            0,
            target,
            count,
            packed.outputs,
            bytes,
            now,
            stride,
            -1,
            scratch,
          );
      }
    };
  };
  return { rows, stride, tile, prepare };
}
