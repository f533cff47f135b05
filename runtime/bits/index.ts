import type { BitsRunner } from './runner.ts';

export type { BitsRunner, MemoryUse } from './runner.ts';
export type { Carried, Stepper } from '../runner.ts';

/**
 * Opens the bytes of an .onnx file on the 1-bit engine by itself, which is loaded then; `load` gives the same engine
 * with everything around it. Any model will do that is made of the operators that it knows.
 *
 * @param what names the model in errors
 * @throws UserError where a part of it cannot be computed here
 */
export const openBits = async (model: Uint8Array, what = 'model'): Promise<BitsRunner> =>
  (await import('./split.ts')).openSplit(model, {}, what);
