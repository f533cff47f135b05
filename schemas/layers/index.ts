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
import { normalise } from './normalise.ts';
import { readout } from './readout.ts';
import { recurrent } from './recurrent.ts';
import { residual } from './residual.ts';

/**
 * Every kind of layer of the library. A new one is a file beside this and a line here; training, export and runtime
 * pick it up. Those of users are registered, in `registry.ts`.
 */
export const layers = {
  normalise,
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

declare const registered: unique symbol;

/** A layer that a user registered, as plain data. Only what `registerLayer` returns makes one: the compiler knows. */
export type OwnLayerSpec = { readonly kind: string & { readonly [registered]: true } };

/** A layer of any kind of the library as plain data. */
export type LayerSpec = ReturnType<(typeof layers)[keyof typeof layers]>;

/** The name of a layer of the library. */
export type LayerKind = keyof typeof layers;
