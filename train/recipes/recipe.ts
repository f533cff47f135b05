import { UserError } from '../../schemas/errors.ts';
import type { ModelDefinition } from '../../schemas/model.ts';
import type { TrainingSettings } from '../options.ts';
import type { DataFacts, FactsOf } from './facts.ts';

/** A network and how it is trained, under a name: plain data, once it is told what examples are. */
export interface Recipe {
  readonly name: string;
  /** One line: what it is, and what for. */
  readonly summary: string;
  /** Data that it was made for: how they are named, and what they are, so that it can be shown without them. */
  readonly data: { readonly name: string; readonly facts: DataFacts };
  /** The network for such examples. @throws UserError for those that it cannot be fitted to */
  model(data: DataFacts): ModelDefinition;
  /** Options of the training that are not the usual ones. */
  readonly training: TrainingSettings;
}

/** The option of layers that gives every step gains and biases of its own, where there is more than one step. */
export const perStepOf = (
  wanted: boolean,
  { steps, encoder }: Pick<ModelDefinition, 'steps' | 'encoder'>,
): { readonly perStep?: true } => {
  const many = steps ?? (encoder && 'steps' in encoder ? encoder.steps : 1);
  return wanted && many > 1 ? { perStep: true } : {};
};

const called: { readonly [Kind in DataFacts['kind']]: string } = {
  images: 'images',
  sequences: 'sequences',
  events: 'events',
};

/** The facts of data, where they are of a kind that a recipe is for. @throws UserError for others */
export function requireKind<const Kind extends DataFacts['kind']>(
  recipe: string,
  data: DataFacts,
  kinds: readonly Kind[],
): FactsOf<Kind> {
  if ((kinds as readonly string[]).includes(data.kind)) return data as FactsOf<Kind>;
  throw new UserError(
    `recipe ${recipe}: is for ${kinds.map((kind) => called[kind]).join(' or ')}, ${data.name} holds ${called[data.kind]}; choose another recipe`,
  );
}
