/** Varying examples at random, anew in every epoch, so that a network does not learn them by heart. */
import type { z } from 'zod';
import { specSchema } from '../../../schemas/encoders/spec-schema.ts';
import { UserError } from '../../../schemas/errors.ts';
import type { Shape } from '../../../schemas/layer.ts';
import type { Random } from '../../../schemas/random.ts';
import type { Augmentation, EventList } from './augmentation.ts';
import { channelShift } from './channel-shift.ts';
import { crop } from './crop.ts';
import { drop } from './drop.ts';
import { flip } from './flip.ts';
import { shift } from './shift.ts';
import { timeJitter } from './time-jitter.ts';
import { timeMask } from './time-mask.ts';
import { timeShift } from './time-shift.ts';
import { timeStretch } from './time-stretch.ts';

export type { EventList } from './augmentation.ts';

/** Every kind of augmentation. A new one is a file beside this and a line here. */
export const augmentations = {
  crop,
  flip,
  shift,
  channelShift,
  drop,
  timeJitter,
  timeShift,
  timeStretch,
  timeMask,
};

/** An augmentation of any kind as plain data. */
export type AugmentationSpec = ReturnType<(typeof augmentations)[AugmentationKind]>;

export type AugmentationKind = keyof typeof augmentations;

export const augmentationSchema = specSchema(
  'an augmentation',
  Object.values(augmentations).map(({ augmentation }) => augmentation),
) satisfies z.ZodType<AugmentationSpec>;

/** What each kind of example is held in. */
interface Examples {
  readonly images: Float32Array;
  readonly events: EventList;
}

// A spec carries the options of its own kind, so its functions may take it.
const changeOf = <Of extends keyof Examples>({ kind }: AugmentationSpec, of: Of) =>
  (augmentations[kind].augmentation as unknown as Augmentation<string, z.ZodObject>)[of];

/** @throws UserError naming the first augmentation that examples of a kind and shape do not go with */
export function checkAugmentations(
  specs: readonly AugmentationSpec[],
  of: keyof Examples,
  shape: Shape,
  data: string,
): void {
  specs.forEach((spec, index) => {
    const where = `augment ${index} (${spec.kind})`;
    const change = changeOf(spec, of);
    if (change === undefined) {
      const known = Object.values(augmentations)
        .filter(({ augmentation }) => of in augmentation)
        .map(({ augmentation }) => augmentation.kind);
      throw new UserError(`${where}: does not vary ${of}, which ${data} holds; ${known.join(', ')} do`);
    }
    const { needs } = change;
    if (needs && !needs.axes.includes(shape.length)) {
      throw new UserError(
        `${where}: expected ${of} of shape ${needs.named}, those of ${data} are [${shape.join(', ')}]; leave it out`,
      );
    }
  });
}

/**
 * Varies one example in place, by each augmentation in turn.
 *
 * @param of whether the example is one or more images, [steps, …shape], or events
 */
export function augment<Of extends keyof Examples>(
  specs: readonly AugmentationSpec[],
  of: Of,
  example: Examples[Of],
  shape: Shape,
  random: Random,
): void {
  for (const spec of specs) {
    const change = changeOf(spec, of);
    if (change === undefined) throw new Error(`${spec.kind} does not vary ${of}`);
    // The example is what `of` says.
    (change.apply as (...given: unknown[]) => void)(spec, example, shape, random);
  }
}
