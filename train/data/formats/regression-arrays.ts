import { UserError } from '../../../schemas/errors.ts';
import type { Split } from '../dataset.ts';
import { checkRegressionDataset, type RegressionDataset } from '../regression.ts';
import { findPacked, listFolder, readUnpacked } from './files.ts';
import { type NumberArray, npySize, readNpy } from './npy.ts';

const prefixes: Record<Split, readonly string[]> = { train: ['train.', ''], test: ['test.', 'validation.'] };

/**
 * Reads examples whose answers are numbers: `train.inputs.npy` (examples, …) and `train.targets.npy` (examples) or
 * (examples, outputs), `inputs.npy` and `targets.npy`, or `test.…` of the other split; with or without .gz.
 *
 * @throws UserError where they are missing, no arrays of numbers, or do not fit together
 */
export async function regressionArrays(folder: string, split: Split): Promise<RegressionDataset> {
  const present = await listFolder(folder, 'npy files');
  for (const prefix of prefixes[split]) {
    const [inputFile, targetFile] = ['inputs', 'targets'].map((name) =>
      findPacked(folder, present, [`${prefix}${name}.npy`]),
    );
    if (inputFile === undefined || targetFile === undefined) continue;
    const inputs = await readArray(inputFile);
    const targets = await readArray(targetFile);
    const [count = 0, ...shape] = inputs.shape;
    if (targets.shape[0] !== count || targets.shape.length > 2) {
      throw new UserError(
        `${targetFile}: has shape (${targets.shape.join(', ')}); expected one row per example, (${count}, outputs)`,
      );
    }
    return checkRegressionDataset({
      name: `regression:${folder} ${split}`,
      inputs: valuesOf(inputs),
      shape: shape.length > 0 ? shape : [1],
      scale: 1,
      targets: valuesOf(targets),
      outputs: targets.shape[1] ?? 1,
      count,
    });
  }
  const [prefix] = prefixes[split];
  throw new UserError(
    `${folder}: has no ${split} split: expected ${prefix}inputs.npy and ${prefix}targets.npy, with or without .gz`,
  );
}

async function readArray(file: string): Promise<NumberArray> {
  return readNpy(await readUnpacked(file, (head) => npySize(head, file)), file);
}

/** The elements, row-major whatever the order in the file. */
function valuesOf({ shape, strides, at }: NumberArray): Float32Array {
  const values = new Float32Array(shape.reduce((size, axis) => size * axis, 1));
  for (let index = 0; index < values.length; index++) {
    let rest = index;
    let place = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      place += (rest % shape[axis]!) * strides[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    values[index] = at(place);
  }
  return values;
}
