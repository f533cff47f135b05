import type { Builder } from '../builder.ts';
import type { FlatNode } from '../flat-graph.ts';
import type { Value } from '../values.ts';

/** What is computed of a node's inputs; one that is left out is undefined. */
export type Inputs = readonly (Value | undefined)[];

/**
 * The fast form of an operator.
 *
 * @throws Unfit where what it is given has none; then it is computed as its definition says
 */
export type Operator = (builder: Builder, node: FlatNode, inputs: Inputs) => readonly Value[];
