/** What operators take: how many inputs, and of which types. A file that gives another has no meaning. */
import { UserError } from '../../schemas/errors.ts';
import type { FlatNode } from './flat-graph.ts';
import type { NumberType } from './reference/index.ts';

/**
 * A letter for each input: `T` any type, the same for all that have it; `F` float32; `B` bool; `U` bytes; `Q` bytes
 * or int32; `I` int32 or int64. `?` follows the last that has to be there, `*` one that may come any number of times.
 */
const signatures: Readonly<Record<string, string>> = {
  ...all('TT', ['Add', 'Sub', 'Mul', 'Div', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'Equal']),
  ...all('T*', ['Min', 'Max', 'Concat']),
  ...all('T', ['Abs', 'Neg', 'Sign', 'Relu', 'Identity', 'Shape', 'Flatten', 'Transpose', 'Cast', 'MaxPool']),
  ...all('F', ['Sqrt', 'Exp', 'Log', 'Floor', 'Ceil', 'Round', 'Reciprocal', 'Sigmoid', 'Tanh']),
  ...all('F', ['Softmax', 'LogSoftmax', 'AveragePool', 'GlobalAveragePool']),
  ...all('BB', ['And', 'Or', 'Xor']),
  ...all('T?I', ['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceMin', 'Squeeze', 'Unsqueeze', 'Split']),
  ...all('TI', ['Reshape', 'Expand', 'Gather']),
  ...all('FF?F', ['Gemm', 'Conv']),
  ...all('UU?UU', ['ConvInteger', 'MatMulInteger']),
  MatMul: 'FF',
  Pow: 'FF',
  Not: 'B',
  Where: 'BTT',
  Clip: 'T?TT',
  Pad: 'TI?TI',
  Slice: 'TII?II',
  Constant: '',
  ConstantOfShape: 'I',
  DequantizeLinear: 'QF?Q',
  QuantizeLinear: 'FF?U',
};

function all(signature: string, operators: readonly string[]): Record<string, string> {
  return Object.fromEntries(operators.map((op) => [op, signature]));
}

const classes: Readonly<Record<string, readonly NumberType[]>> = {
  F: ['float32'],
  B: ['bool'],
  U: ['uint8', 'int8'],
  Q: ['uint8', 'int8', 'int32'],
  I: ['int32', 'int64'],
};

const signatureOf = ({ op }: FlatNode): string | undefined =>
  Object.hasOwn(signatures, op) ? signatures[op] : undefined;

/** @throws UserError where a node has too few inputs, or too many */
export function checkInputs(node: FlatNode, what: string): void {
  const signature = signatureOf(node);
  if (signature === undefined) return;
  const letters = signature.replace(/[?*]/, '');
  const least = /[?*]/.exec(signature)?.index ?? letters.length;
  const most = signature.endsWith('*') ? Number.POSITIVE_INFINITY : letters.length;
  const { length } = node.inputs;
  const absent = node.inputs.slice(0, least).indexOf('');
  if (length >= least && length <= most && absent < 0) return;
  const wanted =
    most === least ? least : most < Number.POSITIVE_INFINITY ? `${least} to ${most}` : `${least} or more`;
  throw new UserError(
    absent < 0
      ? `${what}: ${node.op} '${node.name}' has ${length} inputs; expected ${wanted}`
      : `${what}: ${node.op} '${node.name}' lacks its input ${absent}`,
  );
}

/** @param types of its inputs; undefined for one that is left out @throws UserError for one that the operator does not take */
export function checkTypes(node: FlatNode, types: readonly (NumberType | undefined)[]): void {
  const signature = signatureOf(node);
  if (signature === undefined) return;
  const letters = signature.replace(/[?*]/, '');
  let same: NumberType | undefined;
  types.forEach((type, index) => {
    const letter = letters[Math.min(index, letters.length - 1)];
    if (!type || !letter) return;
    const taken = letter === 'T' ? [(same ??= type)] : (classes[letter] as readonly NumberType[]);
    if (taken.includes(type)) return;
    throw new UserError(
      `${node.op} '${node.name}' has an input ${index} of ${type}; device bits takes ${taken.join(', ')} there`,
    );
  });
}
