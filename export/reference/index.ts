/** What an ONNX file means, computed as its specification says. */
export { Reference, referenceOperators } from './evaluate.ts';
export { isNumberType, type NumberArray, type Numbers, numbersOf, type NumberType } from './numbers.ts';
