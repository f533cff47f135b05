import { countFrames } from '../../schemas/encoders/index.ts';
import { UserError } from '../../schemas/errors.ts';
import type { InputSpec, ModelDefinition } from '../../schemas/model.ts';
import type { EventFacts, ImageFacts, SequenceFacts } from './facts.ts';

/** Bytes as planes with channels; an image without has one. @throws UserError for other examples */
export function planeInput(recipe: string, { name, shape, scale }: ImageFacts | SequenceFacts): InputSpec {
  if (shape.length === 2) return { type: 'uint8', shape: [...shape, 1], scale };
  if (shape.length === 3) return { type: 'uint8', shape, scale };
  throw new UserError(
    `recipe ${recipe}: is for images of [rows, columns, channels], those of ${name} are [${shape.join(', ')}]; choose another recipe`,
  );
}

/**
 * Events of a camera as frames of equally many events, whose sides come nearest to `side`; frames as they are.
 *
 * @throws UserError for events of no camera
 */
export function cameraFrames(
  recipe: string,
  data: EventFacts | SequenceFacts,
  { steps, side }: { readonly steps: number; readonly side: number },
): Pick<ModelDefinition, 'input' | 'encoder' | 'steps'> {
  if (data.kind === 'sequences') return { input: planeInput(recipe, data), steps: data.steps };
  const { name, shape } = data;
  if (shape.length !== 3) {
    throw new UserError(
      `recipe ${recipe}: is for events of [polarities, rows, columns], those of ${name} are [${shape.join(', ')}]; choose another recipe`,
    );
  }
  const downsample = Math.max(1, Math.round(shape[1]! / side));
  const encoder = countFrames({ steps, downsample, channels: 'last' });
  const frame = countFrames.encoder.outputShape(encoder, shape);
  return { input: { type: 'uint8', shape: frame, scale: 1 }, encoder };
}
