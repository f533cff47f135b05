export {
  type Attribute,
  type AttributeInput,
  type AttributeReference,
  type AttributeType,
  type Attributes,
  float,
  floats,
  type Integer,
  reference,
  strings,
  subgraphs,
  type Text,
  type UninterpretedAttribute,
} from './attribute.ts';
export { type DataArrays, type DataType, dataTypes } from './data-types.ts';
export { sizeOfModel, type SplitModel, splitModel } from './external.ts';
export {
  type Dimension,
  Graph,
  type GraphContents,
  type Node,
  type NodeOptions,
  type Value,
  type ValueInfo,
} from './graph.ts';
export {
  defineOnnxModel,
  type FunctionDefinition,
  type Model,
  type ModelOptions,
  type Opsets,
} from './model.ts';
export { outline, type OutlineOptions, type Section } from './outline.ts';
export { removeUnused, valuesRead } from './passes.ts';
export type { Rest } from './rest.ts';
export { hasExternalData, readModel, writeModel } from './serialise.ts';
export { type StoredFields, type StoredTensor, type Tensor, type TensorData, tensor } from './tensor.ts';
export { tensorData } from './tensor-data.ts';
