import { arrayOf, axisOf, type Numbers, type NumberType, withDims } from './numbers.ts';
import { UserError } from '../../schemas/errors.ts';
import { combined, roundHalfEven, settledByRounding, typeOfCode } from './elementwise.ts';
import { given, type Inputs, type Operator, type OperatorContext, type Operators } from './operator.ts';

const limits: Partial<Record<NumberType, readonly [low: number, high: number]>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65_535],
  int16: [-32_768, 32_767],
  int32: [-(2 ** 31), 2 ** 31 - 1],
};

/** One number for all, or one for each place along an axis, in a shape that broadcasts. */
function along(x: Numbers, by: Numbers, { attributes }: OperatorContext): Numbers {
  if (attributes.int('block_size', 0) !== 0) throw new UserError('the reference does not quantise in blocks');
  if (by.data.length === 1) return withDims(by, []);
  const axis = axisOf(attributes.int('axis', 1), x.dims.length);
  return withDims(
    by,
    x.dims.map((size, index) => (index === axis ? size : 1)),
  );
}

/** saturate(round(x / scale) + zero point), of two whole numbers as near the even one. */
const quantize: Operator = (inputs, context) => {
  const x = given(inputs, 0);
  const scale = along(x, given(inputs, 1), context);
  const zero = inputs[2] && along(x, inputs[2], context);
  const type = typeIn(inputs, context);
  const [low, high] = limits[type] ?? [];
  if (low === undefined || high === undefined)
    throw new UserError(`the reference does not quantise to ${type}`);
  const divided = combined(x, scale, (a, b) => a / b);
  const rounded = combined(divided, divided, (a) => roundHalfEven(a), 'float64');
  const moved = zero ? combined(rounded, zero, (a, b) => a + b) : rounded;
  const data = arrayOf(type, moved.data.length);
  for (let index = 0; index < data.length; index++)
    data[index] = Math.min(high, Math.max(low, moved.data[index] as number));
  return [{ type, dims: moved.dims, data, exact: scale.exact && settledByRounding(divided) }];
};

function typeIn(inputs: Inputs, { attributes }: OperatorContext): NumberType {
  if (inputs[2]) return inputs[2].type;
  const code = attributes.int('output_dtype', 0);
  return code === 0 ? 'uint8' : typeOfCode(code);
}

/** (x − zero point) · scale */
const dequantize: Operator = (inputs, context) => {
  const x = given(inputs, 0);
  const scale = along(x, given(inputs, 1), context);
  const wide: Numbers = { ...x, type: 'float64', data: Float64Array.from(x.data) };
  const zero = inputs[2] && along(x, inputs[2], context);
  const whole = zero ? combined(wide, zero, (a, b) => a - b) : wide;
  return [combined(whole, scale, (a, b) => a * b, scale.type)];
};

export const quantisation: Operators = { QuantizeLinear: quantize, DequantizeLinear: dequantize };
