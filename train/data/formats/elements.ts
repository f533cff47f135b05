import { halfToNumber } from './half.ts';

/** Reads one number at a place in bytes. */
export type ElementReader = (view: DataView, place: number, little: boolean) => number;

/** By letter (boolean, unsigned, integer, float) and number of bytes. 64-bit integers are rounded to a double. */
export const elementReaders: ReadonlyMap<string, ElementReader> = new Map<string, ElementReader>([
  ['b1', (view, place) => (view.getUint8(place) === 0 ? 0 : 1)],
  ['u1', (view, place) => view.getUint8(place)],
  ['u2', (view, place, little) => view.getUint16(place, little)],
  ['u4', (view, place, little) => view.getUint32(place, little)],
  ['u8', (view, place, little) => Number(view.getBigUint64(place, little))],
  ['i1', (view, place) => view.getInt8(place)],
  ['i2', (view, place, little) => view.getInt16(place, little)],
  ['i4', (view, place, little) => view.getInt32(place, little)],
  ['i8', (view, place, little) => Number(view.getBigInt64(place, little))],
  ['f2', (view, place, little) => halfToNumber(view.getUint16(place, little))],
  ['f4', (view, place, little) => view.getFloat32(place, little)],
  ['f8', (view, place, little) => view.getFloat64(place, little)],
]);
