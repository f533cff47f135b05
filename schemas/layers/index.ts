import { adaptiveLif } from './adaptive-lif.ts';
import { binary } from './binary.ts';
import { cubaLif } from './cuba-lif.ts';
import { dense } from './dense.ts';
import { integrateAndFire } from './integrate-and-fire.ts';
import { leakyIntegrator } from './leaky-integrator.ts';
import { lif } from './lif.ts';
import { readout } from './readout.ts';
import { recurrent } from './recurrent.ts';

/** Every kind of layer. A new one is a file beside this and a line here; training, export and runtime pick it up. */
export const layers = {
  dense,
  recurrent,
  binary,
  if: integrateAndFire,
  lif,
  adaptiveLif,
  cubaLif,
  leakyIntegrator,
  readout,
};

/** A layer of any kind as plain data. */
export type LayerSpec = ReturnType<(typeof layers)[keyof typeof layers]>;

export type LayerKind = keyof typeof layers;
