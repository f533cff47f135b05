import { type LayerSpec, type Model, placesOf, stepsOf } from '../schemas/index.ts';
import { networkText } from './network.ts';
import { shapeText } from './output.ts';

/** What of a layer's options tells how large it is. */
interface Sizes {
  readonly units?: number;
  readonly filters?: number;
  readonly stride?: readonly [number, number];
  readonly layers?: readonly LayerSpec[];
}

/** `conv2d 64`, `conv2d 128 /2` of stride 2, `residual(conv2d 64, binary)`. */
function layerText(spec: LayerSpec): string {
  const { units, filters = units, stride: [stride] = [1], layers } = spec as Sizes;
  const inside = layers ? `(${layers.map(layerText).join(', ')})` : '';
  return `${spec.kind}${inside}${filters === undefined ? '' : ` ${filters}`}${stride === 1 ? '' : ` /${stride}`}`;
}

/** Layers that follow each other and read the same are counted: `3 × residual(…)`. */
function counted(texts: readonly string[]): string[] {
  const runs: { text: string; count: number }[] = [];
  for (const text of texts) {
    const last = runs.at(-1);
    if (last?.text === text) last.count++;
    else runs.push({ text, count: 1 });
  }
  return runs.map(({ text, count }) => (count === 1 ? text : `${count} × ${text}`));
}

/** A network in one line: `784 → 512 → 10` of dense layers without time, else its input and layers by name. */
export function layersText(model: Model): string {
  const steps = stepsOf(model);
  if (steps === 1 && placesOf(model).every(({ input }) => input.length === 1)) return networkText(model);
  const shape = shapeText(model.input.shape);
  const input = steps === 1 ? shape : `${steps} steps of ${shape}`;
  return [input, ...counted(model.layers.map(layerText))].join(' → ');
}
