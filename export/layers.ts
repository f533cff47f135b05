import type { Shape } from '../schemas/layer.ts';
import { type Model, parametersOf } from '../schemas/model.ts';

/** A parameter of a model. */
export interface Named {
  readonly name: string;
  readonly shape: Shape;
  readonly noSelfConnection?: true;
}

/** The weights of every layer that has some, with their gain. */
export function layersOf(model: Model): { weights: Named[]; gain: Named }[] {
  const layers = new Map<string, { weights: Named[]; gain?: Named }>();
  for (const [name, { role, shape, noSelfConnection }] of Object.entries(parametersOf(model))) {
    const owner = name.slice(0, name.lastIndexOf('.'));
    const layer = layers.get(owner) ?? { weights: [] };
    layers.set(owner, layer);
    if (role === 'weight') layer.weights.push({ name, shape, ...(noSelfConnection && { noSelfConnection }) });
    if (role === 'gain') layer.gain = { name, shape };
  }
  return [...layers].flatMap(([owner, { weights, gain }]) => {
    if (weights.length === 0) return [];
    if (!gain) throw new Error(`the layer ${owner} has weights and no gain`);
    return [{ weights, gain }];
  });
}
