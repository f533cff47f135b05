import type { Builder } from '../builder.ts';
import type { Sums } from '../expression.ts';
import type { Windows } from '../reference/index.ts';
import type { Weights } from '../weights.ts';
import type { Source } from './sources.ts';

/** Bytes of sums that are computed at once: they stay in the first-level cache until they are used. */
const TILE = 32768;
/** Rows and bytes of sums and inputs at once where rows are sliced: those stay in the second-level cache. */
const SLICED = { rows: 1024, bytes: 2 ** 19, least: 256 } as const;

/** What a row costs in nanoseconds, fitted to measurements (docs/bits.md): only the proportions matter. */
const costs = {
  /** By an output: a vector of 128 inputs, and what is done once. */
  counting: { vector: 0.6, output: 0.8 },
  slicing: { vector: 0.33, output: 0.75 },
  /** Looking at 64 inputs, finding one that fires, adding its weights to 128 outputs, and writing those. */
  events: { word: 3.2, event: 0.83, add: 0.45, write: 26 },
} as const;

/** What the counters of events can hold. */
const COUNTABLE = 32767;

/**
 * How many inputs of a row may fire for adding up their weights to be the fastest; below 0 where that is not worth it.
 *
 * @param bytes of a row of inputs
 */
export function mostEvents(bytes: number, outputs: number, otherwise: 'counting' | 'slicing'): number {
  const { word, event, add, write } = costs.events;
  const { vector, output } = costs[otherwise];
  const vectors = Math.ceil(outputs / 128);
  const left = outputs * ((bytes / 16) * vector + output) - (bytes / 8) * word - vectors * write;
  const most = Math.min(COUNTABLE, Math.floor(left / (event + vectors * add)));
  // For rows in which hardly anything fires, a second copy of the weights would be too much.
  return most * 32 < bytes * 8 ? -1 : most;
}

/** Padding that a kernel writes behind the sums of a group falls into the next one's place, or into this. */
const widthOf = ({ groups, outputs }: Weights): number =>
  Math.ceil((groups * outputs + (groups > 1 ? 15 : 0)) / 16) * 16;

const tileOf = (stride: number): number => Math.max(2, Math.floor(TILE / stride) & ~1);

/** @param bytes of the sums of a row, and of what they are made of */
function tileOfSlices(bytes: number): number | undefined {
  const rows = Math.min(SLICED.rows, Math.floor(SLICED.bytes / bytes) & ~127);
  return rows < SLICED.least ? undefined : rows;
}

/** Adds up rows, which lie `bytes` apart, under the weights of one group; sums lie `stride` bytes apart. */
type Add = (x: number, rows: number, planes: number, y: number) => void;

/** @param most rows of one call */
function bitKernel(
  builder: Builder,
  weights: Weights,
  group: number,
  bytes: number,
  stride: number,
  most: number,
): Add {
  const { kernels, simd } = builder.engine;
  const outputs = Math.ceil(weights.outputs / 4) * 4;
  // Bits of a tap begin at a byte; where they fill theirs, a bit and its row of weights have one number.
  const isNumbered = weights.taps === 1 || weights.inputs % 8 === 0;
  const otherwise = most < SLICED.least ? 'counting' : 'slicing';
  const limit = simd && isNumbered ? mostEvents(bytes, outputs, otherwise) : -1;
  const t = limit >= 0 ? weights.byInputs(group).at : 0;
  const w = limit < weights.taps * weights.inputs ? weights.byOutputs(group).at : 0;
  const scratch = builder.allocate(kernels.denseScratch(most, outputs, bytes));
  return (x, rows, planes, y) =>
    kernels.dense(x, w, t, y, rows, outputs, bytes, planes, stride, limit, scratch);
}

function floatKernel(
  { engine }: Builder,
  weights: Weights,
  group: number,
  bytes: number,
  stride: number,
): Add {
  const { kernels } = engine;
  const inputs = weights.taps * weights.inputs;
  const width = Math.ceil(weights.outputs / 16) * 16;
  if (weights.magnitude === undefined) {
    const { at } = weights.real(group);
    return (x, rows, _, y) => kernels.floatDense(x, at, y, rows, inputs, width, bytes, stride);
  }
  const { at, bytes: tBytes } = weights.byInputs(group);
  return (x, rows, _, y) => kernels.signedDense(x, at, y, rows, inputs, width, bytes, stride, tBytes);
}

/** Sums of rows under a matrix. */
export function denseSums(builder: Builder, source: Source, weights: Weights, rows: number): Sums {
  const stride = widthOf(weights) * 4;
  const tile = Math.min(rows, tileOf(stride));
  const prepare = () => {
    const { at, bytes } = source;
    const isFloat = source.kind === 'floats';
    const add = isFloat
      ? floatKernel(builder, weights, 0, bytes, stride)
      : bitKernel(builder, weights, 0, bytes, stride, tile);
    return (first: number, count: number, y: number): void => {
      const planes = isFloat ? 1 : source.planes();
      add(at + first * bytes * planes, count, planes, y);
    };
  };
  return { rows, stride, tile, prepare };
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
  const sliced = isFloat || !builder.engine.simd ? undefined : tileOfSlices(stride + bytes * levels);
  const tile = Math.min(rows, sliced ?? tileOf(Math.max(stride, bytes * levels)));
  const prepare = () => {
    const { kernels } = builder.engine;
    const { height, width, down, across, size, stride: step, pads } = planes;
    const patches = builder.allocate(tile * bytes * levels);
    const groups = Array.from({ length: weights.groups }, (_, group) => ({
      from: group * bits,
      column: group * weights.outputs * 4,
      add: isFloat
        ? floatKernel(builder, weights, group, bytes, stride)
        : bitKernel(builder, weights, group, bytes, stride, tile),
    }));
    return (first: number, count: number, y: number): void => {
      const now = isFloat ? 1 : source.planes();
      for (const { from, column, add } of groups) {
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
        add(patches, count, now, y + column);
      }
    };
  };
  return { rows, stride, tile, prepare };
}
