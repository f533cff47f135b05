import { z } from 'zod';
import { UserError } from '../errors.ts';
import { type Shape, sizeOf } from '../layer.ts';

/** How event frames are laid out: options of both kinds. */
export const cameraOptions = {
  downsample: z.int().positive().exactOptional().meta({
    description:
      'Rows, and columns, of a camera that one of a frame stands for, or channels where they are one axis; their events go together.',
  }),
  channels: z.enum(['first', 'last']).exactOptional().meta({
    description: 'Axes of a frame: [polarities, rows, columns] as of events; last puts the polarities there.',
  }),
};

interface Layout {
  readonly downsample?: number;
  readonly channels?: 'first' | 'last';
}

const isAsGiven = ({ downsample = 1, channels = 'first' }: Layout): boolean =>
  downsample === 1 && channels === 'first';

/** The shape of a frame. @throws UserError where the events have no axes that a layout is asked for */
export function frameShape(kind: string, layout: Layout, shape: Shape): Shape {
  if (isAsGiven(layout)) return shape;
  const { downsample = 1, channels } = layout;
  if (shape.length === 1 && channels !== 'last') return [Math.ceil(sizeOf(shape) / downsample)];
  if (shape.length !== 2 && shape.length !== 3) {
    throw new UserError(
      `${kind}: ${shape.length === 1 ? 'channels is' : 'downsample and channels are'} for events of [rows, columns] or ` +
        `[polarities, rows, columns], these are of [${shape.join(', ')}]; leave ${shape.length === 1 ? 'it' : 'them'} out`,
    );
  }
  const plane = shape.slice(-2).map((size) => Math.ceil(size / downsample));
  const polarities = shape.slice(0, -2);
  return channels === 'last' ? [...plane, ...polarities] : [...polarities, ...plane];
}

/** Where in a frame the events of each channel go; undefined where frames are laid out as the events are. */
export function framePlaces(layout: Layout, shape: Shape): Uint32Array | undefined {
  if (isAsGiven(layout)) return undefined;
  const { downsample = 1, channels } = layout;
  if (shape.length === 1) {
    return Uint32Array.from({ length: sizeOf(shape) }, (_, channel) => Math.floor(channel / downsample));
  }
  const [rows, columns] = shape.slice(-2) as [number, number];
  const [down, across] = [Math.ceil(rows / downsample), Math.ceil(columns / downsample)];
  const polarities = sizeOf(shape) / (rows * columns);
  const places = new Uint32Array(sizeOf(shape));
  for (let channel = 0; channel < places.length; channel++) {
    const column = Math.floor((channel % columns) / downsample);
    const row = Math.floor((Math.floor(channel / columns) % rows) / downsample);
    const polarity = Math.floor(channel / (rows * columns));
    const cell = row * across + column;
    places[channel] = channels === 'last' ? cell * polarities + polarity : polarity * down * across + cell;
  }
  return places;
}
