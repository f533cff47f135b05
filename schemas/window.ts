import { z } from 'zod';
import type { Shape } from './layer.ts';
import { UserError } from './errors.ts';

/** Height and width. */
export type Pair = readonly [height: number, width: number];

/** What lies beyond the edge of a plane: zeros, so many that every stride begins a window; or nothing. */
export type Padding = 'same' | 'valid';

/** A window that moves over a plane. */
export interface Window {
  readonly size: Pair;
  readonly stride: Pair;
}

const count = z.int().positive();

/** Height and width, or one number for both. */
export const pairSchema = z
  .union([count, z.tuple([count, count])])
  .transform((given): Pair => (typeof given === 'number' ? [given, given] : given));

/** How a window moves along one axis: at how many places it stops, and the zeros before and after the axis. */
export interface Stops {
  readonly stops: number;
  readonly before: number;
  readonly after: number;
}

/** `same`: ⌈length / stride⌉ stops; of an odd number of zeros, one more comes after the axis than before it. */
export function stopsAlong(length: number, size: number, stride: number, padding: Padding): Stops {
  if (padding === 'valid') {
    return { stops: Math.max(Math.floor((length - size) / stride) + 1, 0), before: 0, after: 0 };
  }
  const stops = Math.ceil(length / stride);
  const zeros = Math.max((stops - 1) * stride + size - length, 0);
  const before = Math.floor(zeros / 2);
  return { stops, before, after: zeros - before };
}

/** How a window moves over a plane, down and across. */
export const stopsOver = (
  [height, width]: Pair,
  { size, stride }: Window,
  padding: Padding,
): readonly [down: Stops, across: Stops] => [
  stopsAlong(height, size[0], stride[0], padding),
  stopsAlong(width, size[1], stride[1], padding),
];

/** An input as a plane with channels. @throws UserError where it has other axes */
export function planeOf(
  layer: string,
  input: Shape,
): readonly [height: number, width: number, channels: number] {
  const [height, width, channels] = input;
  if (height === undefined || width === undefined || channels === undefined || input.length !== 3) {
    throw new UserError(
      `${layer}: expected an input of three axes [height, width, channels], got [${input.join(', ')}]`,
    );
  }
  return [height, width, channels];
}

/** The plane that a moving window makes of a plane. @throws UserError where the window has no place in it */
export function windowed(layer: string, plane: Pair, window: Window, padding: Padding): Pair {
  const [down, across] = stopsOver(plane, window, padding);
  if (down.stops === 0 || across.stops === 0) {
    throw new UserError(
      `${layer}: a window of ${window.size.join(' × ')} is larger than its input's plane of ${plane.join(' × ')}; take a smaller size`,
    );
  }
  return [down.stops, across.stops];
}
