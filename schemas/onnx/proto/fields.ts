import protobuf from 'protobufjs/minimal.js';
import { UserError } from '../../errors.ts';
import type { Integer } from '../attribute.ts';
import type { onnx } from '../generated/onnx.js';
import type { Rest } from '../rest.ts';

/** Any message, as decoded or as a plain object to encode. */
export interface Message {
  $unknowns?: Uint8Array[];
}

/** A 64-bit field: decoded it is always a Long. */
export type Int64 = NonNullable<onnx.OperatorSetIdProto.$Properties['version']>;

/** The value of an optional field, or undefined where the file has none; reading it would give its default. */
export const own = <M extends Message, K extends keyof M>(
  message: M,
  field: K,
): NonNullable<M[K]> | undefined =>
  Object.hasOwn(message, field) ? (message[field] ?? undefined) : undefined;

/** The fields of a message other than those taken, unknown ones included; undefined if there are none. */
export function restOf<M extends Message>(
  message: M,
  taken: readonly (keyof M & string)[],
): Rest | undefined {
  const names: readonly string[] = taken;
  const fields = Object.entries(message).filter(
    ([name, value]) => !names.includes(name) && !(Array.isArray(value) && value.length === 0),
  );
  // Not enumerable in a decoded message.
  if (message.$unknowns) fields.push(['$unknowns', message.$unknowns]);
  return fields.length === 0 ? undefined : Object.fromEntries(fields);
}

const signed = (value: Int64): bigint => {
  const { lo, hi } = protobuf.util.LongBits.from(value);
  return BigInt.asIntN(64, (BigInt(hi) << 32n) | BigInt(lo));
};

export function toInteger(value: Int64): Integer {
  const exact = signed(value);
  const number = Number(exact);
  return Number.isSafeInteger(number) ? number : exact;
}

/** @throws UserError if the integer is beyond ±2⁵³, more than any size or version. */
export function toNumber(value: Int64, what: string): number {
  const integer = toInteger(value);
  if (typeof integer === 'number') return integer;
  throw new UserError(`its ${what} is ${integer}, beyond what can be a ${what}`);
}

export function fromInteger(value: Integer): Int64 {
  const bits = BigInt.asUintN(64, BigInt(value));
  return new protobuf.util.LongBits(Number(bits & 0xffffffffn), Number(bits >> 32n)).toLong(false);
}

export const toBigInts = (values: readonly Int64[]): BigInt64Array => BigInt64Array.from(values, signed);

export const fromBigInts = (values: BigInt64Array | BigUint64Array): Int64[] =>
  Array.from(values, fromInteger);
