import type { FlatNode } from '../flat-graph.ts';
import { arithmetic } from './arithmetic.ts';
import { linear } from './linear.ts';
import { shapes } from './shapes.ts';
import type { Reference } from './tensors.ts';

/**
 * Every operator as its definition says, with no regard to speed: for constants, and for what has no faster form.
 * Numbers are rounded to the type of the result.
 */
const references: Readonly<Record<string, Reference>> = { ...arithmetic, ...shapes, ...linear };

export const referenceOf = ({ op }: FlatNode): Reference | undefined =>
  Object.hasOwn(references, op) ? references[op] : undefined;

export * from './tensors.ts';
export { reshapedDims } from './shapes.ts';
export { type Windows, windowsOf } from './linear.ts';
