import type { z } from 'zod';
import { UserError } from '../errors.ts';
import type { Described, Flow, Layer } from '../layer.ts';
import { layers, type OwnLayerSpec } from './index.ts';

/** A layer of any kind, the types of its options and tensors forgotten. */
export type AnyLayer = Layer<string, z.ZodObject, string, string>;

const ownLayers = new Map<string, AnyLayer>();

/** Whether the library has no layer of that kind and a user registered one. */
export const isOwn = (kind: string): boolean => ownLayers.has(kind);

/** The layer of that kind, of the library or registered. */
export function layerOfKind(kind: unknown): AnyLayer | undefined {
  if (typeof kind !== 'string') return undefined;
  // A spec always carries the options of its own kind, so the cast is safe.
  if (Object.hasOwn(layers, kind)) return layers[kind as keyof typeof layers].layer as unknown as AnyLayer;
  return ownLayers.get(kind);
}

/** Every kind that a model can have. */
export const knownKinds = (): string[] => [...Object.keys(layers), ...ownLayers.keys()];

const flows: readonly Flow[] = ['signal', 'current', 'logits'];

/** What `registerLayer` returns: describes a layer of one's own. */
export type Registered<
  Kind extends string,
  Options extends z.ZodObject,
  Name extends string,
  State extends string,
  Given extends unknown[],
> = ((...given: Given) => Described<Kind, Options> & OwnLayerSpec) & {
  readonly layer: Layer<Kind, Options, Name, State>;
};

/**
 * Makes a layer of one's own known: models with it can then be defined, trained, frozen, exported and loaded.
 *
 *     export const myLayer = registerLayer(defineLayer({ kind: 'myLayer', … }));
 *
 * Files name a layer by its kind alone, so a program that loads such a model registers the layer before. Registering
 * the same layer again changes nothing.
 *
 * @param describe what `defineLayer` returned
 * @returns the same function, whose descriptions `defineModel` takes
 * @throws UserError where the kind is taken, or the layer lacks something
 */
export function registerLayer<
  Kind extends string,
  Options extends z.ZodObject,
  Name extends string,
  State extends string,
  Given extends unknown[],
>(
  describe: ((...given: Given) => Described<Kind, Options>) & {
    readonly layer: Layer<Kind, Options, Name, State>;
  },
): Registered<Kind, Options, Name, State, Given> {
  // Not everyone who calls this has a compiler.
  const layer = (describe as Partial<typeof describe> | undefined)?.layer as unknown as AnyLayer | undefined;
  if (typeof describe !== 'function' || typeof layer !== 'object' || layer === null) {
    throw new UserError('registerLayer: expected what defineLayer() returns');
  }
  checkParts(layer);
  const { kind } = layer;
  if (Object.hasOwn(layers, kind)) {
    throw new UserError(
      `registerLayer: the kind '${kind}' is a layer of the library; give yours another kind`,
    );
  }
  const known = ownLayers.get(kind);
  if (known && known !== layer) {
    throw new UserError(
      `registerLayer: another layer of the kind '${kind}' is registered; give one of them another kind`,
    );
  }
  ownLayers.set(kind, layer);
  return describe as Registered<Kind, Options, Name, State, Given>;
}

/** @throws UserError naming the first part that is not what a layer has */
function checkParts(layer: AnyLayer): void {
  const { kind, takes, gives, options } = layer;
  const refuse = (what: string): never => {
    throw new UserError(`registerLayer: ${typeof kind === 'string' ? `'${kind}': ` : ''}${what}`);
  };
  if (typeof kind !== 'string' || !/^[A-Za-z][A-Za-z0-9]*$/.test(kind)) {
    refuse('a kind is made of letters and digits, and begins with a letter');
  }
  if (!flows.includes(takes) || takes === 'logits') {
    refuse(`takes is '${String(takes)}'; expected signal or current`);
  }
  if (!flows.includes(gives)) refuse(`gives is '${String(gives)}'; expected ${flows.join(', ')}`);
  if (typeof options?.safeParse !== 'function' || !options.shape) {
    refuse('options is no object schema of zod; expected z.strictObject({ … })');
  }
  if ('kind' in options.shape) refuse("an option is called 'kind'; call it otherwise");
  if ('layers' in options.shape !== (layer.join !== undefined)) {
    refuse("a layer that holds others has both an option 'layers' and join(); others have neither");
  }
  for (const name of ['outputShape', 'parameters', 'state', 'step'] as const) {
    if (typeof layer[name] !== 'function') refuse(`has no ${name}()`);
  }
}
