import { z } from 'zod';
import { UserError } from '../errors.ts';
import { gaussianSchema, kept } from '../likelihood.ts';
import { modelOfJson, parseJson } from '../json.ts';
import { checkOptions } from '../layer.ts';
import { classesOf } from '../model.ts';
import { checkPosterior, type LearnedTensor, type Posterior } from '../posterior.ts';
import { readSafetensors, type SafeTensor, writeSafetensors } from '../safetensors.ts';
import { version as toolkit } from '../version.ts';

import { type LoadOptions, loadCheckpoint } from './load.ts';
import { type SaveOptions, saveCheckpoint } from './save.ts';

/** The files of a posterior inside a checkpoint; only a training has the last one. */
const fileNames = {
  description: 'model.json',
  learned: 'posterior.safetensors',
  optimiser: 'optimiser.safetensors',
} as const;

const word = z.int().min(0).max(0xffff_ffff);
const generator = z
  .tuple([word, word, word, word])
  .refine((words) => words.some(Boolean), 'expected one not 0')
  .readonly();

/** How a network was judged. */
export const validationFiguresSchema = z.strictObject({
  loss: z.number(),
  accuracy: z.number().exactOptional(),
  rootMeanSquareError: z.number().exactOptional(),
});

/** What was seen of a step of training, layer by layer. */
export const layerFiguresSchema = z
  .array(
    z.strictObject({
      layer: z.string(),
      firing: z
        .strictObject({
          rate: z.number(),
          silent: z.number(),
          saturated: z.number(),
          distance: z.number(),
        })
        .exactOptional(),
      gradients: z.record(z.string(), z.number()).exactOptional(),
    }),
  )
  .readonly();

const trainingSchema = z.strictObject({
  options: z.record(z.string(), z.unknown()),
  data: z.strictObject({ examples: z.int().positive(), sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
  step: z.int().nonnegative(),
  /** The four generators that draw the noise side by side. */
  noise: z.tuple([generator, generator, generator, generator]).readonly(),
  /** What the network was judged to be after each epoch. */
  history: z.array(validationFiguresSchema).readonly().exactOptional(),
  /** What was seen of the last step of each epoch, layer by layer. */
  monitored: z
    .array(z.strictObject({ step: z.int().positive(), layers: layerFiguresSchema }))
    .readonly()
    .exactOptional(),
  /** Inside an epoch: its steps up to now, and the sums of their reports. */
  totals: z
    .strictObject({ steps: z.int().positive(), sums: z.record(z.string(), z.number()) })
    .exactOptional(),
});

const common = {
  format: z.literal('bitspike posterior'),
  version: z.literal(1),
  /** Of the toolkit that saved it. */
  toolkit: z.string(),
  model: z.unknown(),
  classNames: z.array(z.string()),
  likelihood: gaussianSchema.exactOptional(),
  training: trainingSchema.optional(),
};

const descriptionSchema = z.discriminatedUnion('family', [
  z.strictObject({
    family: z.literal('bernoulli'),
    temperature: z.number().positive().exactOptional(),
    ...common,
  }),
  z.strictObject({
    family: z.literal('gaussian'),
    scale: z.enum(['layer', 'channel', 'weight']),
    ...common,
  }),
]);

/** The training that a posterior comes from, and where it stands. */
export interface TrainingRecord extends Readonly<z.output<typeof trainingSchema>> {
  /** The optimiser's tensors, by name. */
  readonly optimiser: Readonly<Record<string, LearnedTensor>>;
}

/** A posterior as it was saved, with the training that it comes from where there is one to go on with. */
export interface SavedPosterior {
  readonly posterior: Posterior;
  readonly training?: TrainingRecord;
}

function encodeTensors(tensors: Readonly<Record<string, LearnedTensor>>): Uint8Array {
  const encoded: Record<string, SafeTensor> = {};
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    encoded[name] = { dtype: 'F32', shape, data: new Float32Array(data) };
  }
  return writeSafetensors(encoded);
}

function decodeTensors(bytes: Uint8Array, file: string): Record<string, LearnedTensor> {
  const entries: [string, LearnedTensor][] = [];
  for (const [name, { dtype, shape, data }] of readSafetensors(bytes, file).tensors) {
    if (dtype !== 'F32') throw new UserError(`${file}: the tensor ${name} is of type ${dtype}; expected F32`);
    entries.push([name, { shape, data }]);
  }
  return Object.fromEntries(entries);
}

/**
 * A posterior, and the training that it comes from, as the files of a checkpoint. The same give the same bytes:
 * no time, path or machine is in them.
 */
export function encodePosterior(posterior: Posterior, training?: TrainingRecord): Record<string, Uint8Array> {
  const { model, learned, classNames, likelihood, ...family } = posterior;
  const description: z.output<typeof descriptionSchema> = {
    format: 'bitspike posterior',
    version: 1,
    toolkit,
    ...family,
    model,
    classNames: [...classNames],
    ...kept(likelihood),
  };
  const files: Record<string, Uint8Array> = { [fileNames.learned]: encodeTensors(learned) };
  if (training) {
    const { optimiser, ...record } = training;
    description.training = record;
    files[fileNames.optimiser] = encodeTensors(optimiser);
  }
  files[fileNames.description] = new TextEncoder().encode(`${JSON.stringify(description, null, 2)}\n`);
  return files;
}

/**
 * Reads what `encodePosterior` wrote. The posterior is checked whole; a training's options and optimiser are for
 * the training to check.
 *
 * @param where the folder of the files, for messages
 * @throws UserError that names the file and what is wrong in it
 */
export function decodePosterior(files: Readonly<Record<string, Uint8Array>>, where: string): SavedPosterior {
  const nameOf = (file: string): string => `${where}/${file}`;
  const bytesOf = (file: string): Uint8Array => {
    const bytes = Object.hasOwn(files, file) ? files[file] : undefined;
    if (!bytes) throw new UserError(`${nameOf(file)}: missing, so this is no checkpoint of a posterior`);
    return bytes;
  };

  const described = nameOf(fileNames.description);
  const json = parseJson(bytesOf(fileNames.description), described);
  const {
    format: _format,
    version: _version,
    toolkit: _toolkit,
    model,
    classNames,
    training,
    ...family
  } = checkOptions(descriptionSchema, json, described);
  const posterior: Posterior = {
    ...family,
    model: modelOfJson(model, described),
    learned: decodeTensors(bytesOf(fileNames.learned), nameOf(fileNames.learned)),
    classNames,
  };
  checkPosterior(posterior, nameOf(fileNames.learned));
  if (classNames.length !== classesOf(posterior.model)) {
    throw new UserError(
      `${described}: has ${classNames.length} classNames; its model has ${classesOf(posterior.model)} outputs`,
    );
  }
  if (!training) return { posterior };
  const optimiser = decodeTensors(bytesOf(fileNames.optimiser), nameOf(fileNames.optimiser));
  return { posterior, training: { ...training, optimiser } };
}

/**
 * Saves a posterior as a checkpoint of a run, durably; see `saveCheckpoint`.
 *
 * @returns the folder of the checkpoint
 * @throws UserError where it cannot be saved
 */
export const savePosterior = (
  run: string,
  posterior: Posterior,
  { training, ...options }: SaveOptions & { readonly training?: TrainingRecord } = {},
): Promise<string> => saveCheckpoint(run, training?.step ?? 0, encodePosterior(posterior, training), options);

/** Reads the newest sound posterior of a run. @throws UserError where there is none */
export async function loadPosterior(run: string, options: LoadOptions = {}): Promise<Posterior> {
  const { files, path } = await loadCheckpoint(run, options);
  return decodePosterior(files, path).posterior;
}
