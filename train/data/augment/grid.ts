import { z } from 'zod';
import type { Shape } from '../../../schemas/layer.ts';

/** Which axes of an image are its rows and columns: an option of what moves pixels. */
export const channelsOption = z.enum(['first', 'last']).default('last').meta({
  description:
    'Axes of images with channels: [channels, rows, columns], or [rows, columns, channels]; events have them first.',
});

/** What images must be for their pixels to be moved. */
export const imageAxes = { axes: [2, 3], named: '[rows, columns], with channels or without' };

/** An image as planes of rows of columns of pixels, each pixel of `depth` numbers that stay together. */
export interface Grid {
  readonly planes: number;
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
}

/** The grid of one or more images of a shape. @param size how many numbers they are together */
export function gridOf(shape: Shape, channels: z.output<typeof channelsOption>, size: number): Grid {
  const [rows, columns, depth] = (
    shape.length === 2 ? [...shape, 1] : channels === 'last' ? shape : [...shape.slice(1), 1]
  ) as [number, number, number];
  return { planes: size / (rows * columns * depth), rows, columns, depth };
}
