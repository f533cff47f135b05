/**
 * What `auto` goes by: `npm run -s bench -- bits` on one of 2 cores of an AMD EPYC, Node 20.20, 23 November
 * 2026, one thread. Networks of one dense layer of 4096 × 4096 with 30 % of its inputs firing, of
 * 700-256-256-20 spiking neurons over 100 steps, and of four convolutions of 64 channels on 32 × 32 places.
 */

/** Where networks run unless told otherwise: Node, and browsers. */
export type AutoPlace = 'cpu' | 'wasm';

/** What decides how long a network takes. */
export type NetworkKind = 'dense' | 'spiking' | 'planes';

/** Milliseconds of a call with 1 example, and with 32. */
export type Measured = readonly [one: number, many: number];

export const measurements: Readonly<
  Record<NetworkKind, { readonly bits: Measured; readonly others: Readonly<Record<AutoPlace, Measured>> }>
> = {
  dense: { bits: [0.027, 0.821], others: { cpu: [0.268, 1.96], wasm: [4.9, 15.4] } },
  spiking: { bits: [0.052, 1.63], others: { cpu: [0.488, 3.84], wasm: [1.28, 19.7] } },
  planes: { bits: [0.741, 24.4], others: { cpu: [0.371, 12.6], wasm: [4.67, 145] } },
};
