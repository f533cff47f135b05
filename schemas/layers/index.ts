import { binary } from './binary.ts';
import { dense } from './dense.ts';
import { readout } from './readout.ts';

/** Every kind of layer. A new one is a file beside this and a line here; training, export and runtime pick it up. */
export const layers = { dense, binary, readout };

/** A layer of any kind as plain data. */
export type LayerSpec = ReturnType<(typeof layers)[keyof typeof layers]>;

export type LayerKind = keyof typeof layers;
