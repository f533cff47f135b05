import { UserError } from '../../schemas/errors.ts';
import type { Graph } from '../../schemas/onnx/index.ts';
import type { NodeAttributes } from './attributes.ts';
import type { Numbers } from './numbers.ts';

/** What an operator may need beyond its inputs. */
export interface OperatorContext {
  readonly attributes: NodeAttributes;
  /** How many outputs the node has. */
  readonly outputs: number;
  /** Runs a graph inside this one, which sees the values around it. */
  run(body: Graph, inputs: readonly Numbers[]): Numbers[];
}

/** Inputs of a node; one that is left out is undefined. */
export type Inputs = readonly (Numbers | undefined)[];

/** An operator of ONNX, as its specification defines it. */
export type Operator = (inputs: Inputs, context: OperatorContext) => Numbers[];

export type Operators = Readonly<Record<string, Operator>>;

/** An input that the operator cannot do without. */
export function given(inputs: Inputs, index: number): Numbers {
  const found = inputs[index];
  if (!found) throw new UserError(`it lacks its input ${index}`);
  return found;
}

/** Whole numbers that are an input since some version of an operator, and an attribute before it. */
export const listed = (inputs: Inputs, index: number, { attributes }: OperatorContext, name: string) =>
  inputs[index] ? Array.from(inputs[index].data) : attributes.ints(name);
