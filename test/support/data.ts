import { binary, defineModel, dense, type Model, readout } from '../../schemas/index.ts';
import { Random } from '../../schemas/random.ts';
import type { Dataset } from '../../train/index.ts';

const PATTERN = 16;

/** Four patterns of bright and dark places, of which each example shows one under noise: can be learned. */
export function patternData(count: number): Dataset {
  const random = Random.fromSeed(8, 'examples');
  const patterns = Array.from({ length: 4 }, () =>
    Array.from({ length: PATTERN }, () => random.nextBelow(2)),
  );
  const labels = Uint8Array.from({ length: count }, () => random.nextBelow(4));
  const inputs = Uint8Array.from({ length: count * PATTERN }, (_, at) => {
    const bright = patterns[labels[Math.floor(at / PATTERN)]!]![at % PATTERN]!;
    return bright * 128 + random.nextBelow(128);
  });
  const classNames = ['north', 'east', 'south', 'west'];
  return { name: 'patterns', inputs, shape: [4, 4], scale: 1 / 255, labels, count, classes: 4, classNames };
}

/** Bytes and labels that have nothing to do with each other. */
export function noiseData(count: number): Dataset {
  const random = Random.fromSeed(3, 'examples');
  return {
    name: 'noise',
    inputs: Uint8Array.from({ length: count * 6 }, () => random.nextBelow(256)),
    shape: [6],
    scale: 1 / 255,
    labels: Uint8Array.from({ length: count }, () => random.nextBelow(3)),
    count,
    classes: 3,
    classNames: ['a', 'b', 'c'],
  };
}

/** A network with one hidden layer for such data. */
export const networkFor = ({ shape, scale, classes }: Dataset, units: number): Model =>
  defineModel({
    input: { type: 'uint8', shape: [shape.reduce((size, axis) => size * axis, 1)], scale },
    layers: [dense({ units }), binary(), dense({ units: classes }), readout()],
  });
