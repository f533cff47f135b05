import { adaptiveLif } from './adaptive-lif.ts';
import { binary } from './binary.ts';
import { conv2d } from './conv2d.ts';
import { cubaLif } from './cuba-lif.ts';
import { dense } from './dense.ts';
import { flatten } from './flatten.ts';
import { globalAveragePool } from './global-pool.ts';
import { integrateAndFire } from './integrate-and-fire.ts';
import { leakyIntegrator } from './leaky-integrator.ts';
import { lif } from './lif.ts';
import { averagePool, maxPool } from './pool.ts';
import { readout } from './readout.ts';
import { recurrent } from './recurrent.ts';
import { residual } from './residual.ts';

/** Every kind of layer. A new one is a file beside this and a line here; training, export and runtime pick it up. */
export const layers = {
  dense,
  conv2d,
  recurrent,
  binary,
  if: integrateAndFire,
  lif,
  adaptiveLif,
  cubaLif,
  leakyIntegrator,
  averagePool,
  maxPool,
  globalAveragePool,
  flatten,
  residual,
  readout,
};

/** A layer of any kind as plain data. */
export type LayerSpec = ReturnType<(typeof layers)[keyof typeof layers]>;

export type LayerKind = keyof typeof layers;
