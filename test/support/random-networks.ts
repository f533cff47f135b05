import {
  adaptiveLif,
  averagePool,
  binary,
  conv2d,
  cubaLif,
  defineModel,
  dense,
  flatten,
  globalAveragePool,
  integrateAndFire,
  leakyIntegrator,
  lif,
  maxPool,
  type Model,
  type ModelDefinition,
  normalise,
  readout,
  recurrent,
  residual,
} from '../../schemas/index.ts';
import type { Random } from '../../schemas/random.ts';

type Spec = ModelDefinition['layers'][number];
type Input = Exclude<ModelDefinition['input'], readonly number[]>;

const oneOf = <T>(random: Random, list: readonly T[]): T => list[random.nextBelow(list.length)] as T;
const between = (random: Random, low: number, high: number): number => low + random.nextBelow(high - low + 1);
const perhaps = (random: Random): boolean => random.nextBelow(2) === 0;

/** Around the sizes at which bits, bytes and vectors end. */
const widths = [1, 2, 3, 5, 7, 8, 9, 13, 16, 17, 31, 33, 64, 65, 127, 129, 200, 300];

const membrane = (random: Random) => ({
  threshold: oneOf(random, [1, 0.7, 0.25, 3]),
  reset: oneOf(random, ['subtract', 'zero', 'none'] as const),
  learnThreshold: random.nextBelow(4) === 0,
});

const leaky = (random: Random) => ({
  ...membrane(random),
  decay: oneOf(random, [0.9, 0.5, Math.exp(-1 / 10)]),
  learnDecay: random.nextBelow(4) === 0,
});

/** Of layers with weights: now and then a gain and a bias for every step. */
const steps = (random: Random, timed: boolean) =>
  timed && random.nextBelow(4) === 0 ? { perStep: true } : {};

const spiking = (random: Random) =>
  oneOf(random, [
    () => lif(leaky(random)),
    () => integrateAndFire(membrane(random)),
    () =>
      adaptiveLif({
        ...leaky(random),
        adaptation: oneOf(random, [0.1, 0.4]),
        adaptationDecay: oneOf(random, [0.7, Math.exp(-1 / 50)]),
      }),
    () => cubaLif({ ...leaky(random), synapseDecay: oneOf(random, [0.6, Math.exp(-1 / 5)]) }),
  ])();

const neuron = (random: Random, timed: boolean): Spec =>
  timed && random.nextBelow(4) > 0 ? spiking(random) : binary({ threshold: oneOf(random, [0, 0.5, -1.5]) });

/** Layers on a plane, its shape after each. */
function planeLayers(random: Random, shape: readonly number[], timed: boolean): Spec[] {
  let [height, width, channels] = shape as [number, number, number];
  const layers: Spec[] = [];
  const convolve = (): void => {
    const groups = channels % 2 === 0 && perhaps(random) ? oneOf(random, [2, channels]) : 1;
    const filters = groups * between(random, 1, groups > 1 ? 3 : 12);
    const size = [between(random, 1, Math.min(3, height)), between(random, 1, Math.min(4, width))] as [
      number,
      number,
    ];
    const stride = [between(random, 1, 2), between(random, 1, 2)] as [number, number];
    const padding = oneOf(random, ['same', 'valid'] as const);
    layers.push(
      conv2d({ filters, size, stride, padding, groups, ...steps(random, timed) }),
      neuron(random, timed),
    );
    const stops = (length: number, window: number, step: number): number =>
      padding === 'same' ? Math.ceil(length / step) : Math.floor((length - window) / step) + 1;
    [height, width, channels] = [
      stops(height, size[0], stride[0]),
      stops(width, size[1], stride[1]),
      filters,
    ];
  };
  convolve();
  for (let count = between(random, 0, 2); count > 0; count--) {
    const kind = random.nextBelow(4);
    if (kind === 0) convolve();
    else if (kind === 1 && height > 1 && width > 1) {
      const size = [between(random, 1, Math.min(3, height)), between(random, 2, Math.min(3, width))] as [
        number,
        number,
      ];
      const stride = [between(random, 1, 2), between(random, 1, 3)] as [number, number];
      const given = random.nextBelow(4) === 0 ? { size } : { size, stride };
      layers.push(oneOf(random, [maxPool, averagePool])(given));
      const [down, across] = given.stride ?? size;
      [height, width] = [
        Math.floor((height - size[0]) / down) + 1,
        Math.floor((width - size[1]) / across) + 1,
      ];
    } else if (kind === 2) {
      const wider = channels + between(random, 0, 3);
      const filters = between(random, 1, 9);
      // Blocks nest.
      const nested = residual({
        layers: [conv2d({ filters, size: 3 }), neuron(random, timed)] as never,
      }) as Spec;
      layers.push(
        residual({
          layers: [
            conv2d({ filters, size: 3 }),
            neuron(random, timed),
            ...(random.nextBelow(3) === 0 ? [nested] : []),
            conv2d({ filters: wider, size: 3, ...steps(random, timed) }),
            neuron(random, timed),
          ] as never,
        }),
      );
      channels = wider;
    } else if (height % 2 === 0 && width % 2 === 0) {
      layers.push(
        residual({
          layers: [conv2d({ filters: channels + 1, size: 3, stride: 2 }), neuron(random, timed)] as never,
        }),
      );
      [height, width, channels] = [height / 2, width / 2, channels + 1];
    }
  }
  if (random.nextBelow(3) === 0) layers.push(globalAveragePool());
  return [...layers, flatten()];
}

/**
 * A network of any kind that an exported file can hold: odd widths, strides, paddings, groups, pools, residual blocks,
 * neurons, resets, readouts, with and without time.
 */
export function randomModel(random: Random): Model {
  const timed = perhaps(random);
  const isPlane = random.nextBelow(3) === 0;
  const shape = isPlane
    ? [between(random, 3, 9), between(random, 4, 9), between(random, 1, 5)]
    : [oneOf(random, widths)];
  const input: Input =
    random.nextBelow(6) === 0
      ? { type: 'float32', shape }
      : {
          type: 'uint8',
          shape,
          scale: timed ? oneOf(random, [1, 0.25, 1 / 255]) : oneOf(random, [1 / 255, 1]),
        };
  const layers: Spec[] = [];
  if (input.type === 'float32' && perhaps(random)) {
    const channels = shape.at(-1) as number;
    layers.push(
      normalise({
        mean: Array.from({ length: channels }, () => random.nextUniform()),
        deviation: Array.from({ length: channels }, () => 0.5 + random.nextUniform()),
      }),
    );
  }
  if (isPlane) layers.push(...planeLayers(random, shape, timed));
  for (let count = between(random, isPlane ? 0 : 1, 2); count > 0; count--) {
    if (timed && random.nextBelow(3) === 0)
      layers.push(
        recurrent({
          units: between(random, 2, 40),
          neuron: spiking(random) as never,
          ...steps(random, timed),
        }),
      );
    else if (!isPlane && random.nextBelow(5) === 0 && layers.length > 1) {
      // A block keeps the width that it is given, which only the layer before it knows: dense layers make it here.
      const units = oneOf(random, widths);
      const inside = [dense({ units: 9 }), neuron(random, timed), dense({ units }), neuron(random, timed)];
      layers.push(dense({ units }), neuron(random, timed), residual({ layers: inside as never }));
    } else
      layers.push(dense({ units: oneOf(random, widths), ...steps(random, timed) }), neuron(random, timed));
  }
  layers.push(dense({ units: between(random, 2, 21), ...steps(random, timed) }));
  if (timed && random.nextBelow(3) === 0)
    layers.push(leakyIntegrator({ learnDecay: perhaps(random), decay: oneOf(random, [0.9, 0.4]) }));
  layers.push(timed ? readout({ over: oneOf(random, ['mean', 'maximum', 'last'] as const) }) : readout());
  return defineModel({ input, ...(timed && { steps: between(random, 2, 9) }), layers: layers as Spec[] });
}
