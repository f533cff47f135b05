/** Networks and trainings that come from files, in the form in which `bitspike recipes` prints them. */
import { readFile } from 'node:fs/promises';
import { reasonOf, UserError } from '../schemas/errors.ts';
import { modelOfJson, parseJson } from '../schemas/json.ts';
import { checkOptions } from '../schemas/layer.ts';
import type { Model } from '../schemas/model.ts';
import { type TrainingSettings, trainingOptionsSchema, type WrittenRecipe } from '../train/index.ts';

/** What is in a JSON file: a part of a whole recipe, or that part alone. */
async function readPart(path: string, part: keyof WrittenRecipe, named: string): Promise<unknown> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new UserError(`${path}: cannot read the ${named}: ${reasonOf(cause)}`, { cause });
  });
  const json = parseJson(bytes, path);
  const isWhole = typeof json === 'object' && json !== null && 'model' in json && 'options' in json;
  return isWhole ? (json as Record<string, unknown>)[part] : json;
}

/** Reads a network from a JSON file. @throws UserError where there is none in it */
export const readModelJson = async (path: string): Promise<Model> =>
  modelOfJson(await readPart(path, 'model', 'model'), path);

/**
 * Reads options of a training from a JSON file: those that are in it, no others.
 *
 * @throws UserError for options that do not fit
 */
export async function readOptionsJson(path: string): Promise<TrainingSettings> {
  const given = await readPart(path, 'options', 'options of the training');
  checkOptions(trainingOptionsSchema, given, path);
  return given as TrainingSettings;
}

const width = 150;

/** JSON for people: what fits in a line stands in one. */
export function readableJson(value: unknown, indent = ''): string {
  const inLine = JSON.stringify(value);
  const isFlat = typeof value !== 'object' || value === null || indent.length + inLine.length <= width;
  // JSON text in a line, with a blank behind what separates; strings are left alone.
  if (isFlat) return inLine.replace(/("(?:[^"\\]|\\.)*")|([:,])/g, (_, text, mark) => text ?? `${mark} `);
  const deeper = `${indent}  `;
  const inside = Array.isArray(value)
    ? value.map((item) => deeper + readableJson(item, deeper))
    : Object.entries(value)
        .filter(([, item]) => item !== undefined)
        .map(([name, item]) => `${deeper}${JSON.stringify(name)}: ${readableJson(item, deeper)}`);
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  return `${open}\n${inside.join(',\n')}\n${indent}${close}`;
}
