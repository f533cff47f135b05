/**
 * What `auto` goes by: `npm run -s bench -- bits` on 2 cores of an AMD EPYC that others used too, Node 20.20,
 * 23 November 2026, one thread. Networks of one dense layer of 4096 × 4096 with 30 % of its inputs firing, of
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
  dense: { bits: [0.051, 7.25], others: { cpu: [0.426, 6.5], wasm: [41.3, 93.1] } },
  spiking: { bits: [0.066, 6.71], others: { cpu: [0.59, 13.8], wasm: [3.64, 68.9] } },
  planes: { bits: [1.26, 135], others: { cpu: [0.39, 53.6], wasm: [11.7, 623] } },
};
