import { onnx } from '../generated/onnx.js';
import type { Opsets } from '../model.ts';
import { fromInteger, toNumber } from './fields.ts';

// A list of entries becomes a map. Where the map does not say all that the list did (an entry has unknown
// fields, a key comes twice), the list stays in `rest`, and is written as long as the map is unchanged.

type Entry = onnx.StringStringEntryProto.$Properties;
type Opset = onnx.OperatorSetIdProto.$Properties;
type List<M> = readonly M[] | null | undefined;

export const readEntries = (entries: List<Entry>): Map<string, string> =>
  new Map((entries ?? []).map(({ key, value }) => [key ?? '', value ?? '']));

export function writeEntries(map: ReadonlyMap<string, string>, kept: List<Entry>): Entry[] {
  return kept && sameMap(map, readEntries(kept))
    ? [...kept]
    : Array.from(map, ([key, value]) => ({ key, value }));
}

/** Whether the map says all that the list does. */
export const entriesFit = (entries: List<Entry>): boolean =>
  sameBytes(encodeEntries(entries ?? []), encodeEntries(writeEntries(readEntries(entries), undefined)));

const encodeEntries = (entries: readonly Entry[]) =>
  onnx.ModelProto.encode({ metadataProps: [...entries] }).finish();

export const readOpsets = (opsets: List<Opset>): Map<string, number> =>
  new Map(
    (opsets ?? []).map(({ domain, version }) => [domain ?? '', toNumber(version ?? 0, 'opset version')]),
  );

export function writeOpsets(map: Opsets, kept: List<Opset>): Opset[] {
  if (kept && sameMap(map, readOpsets(kept))) return [...kept];
  return Array.from(map, ([domain, version]) => ({ domain, version: fromInteger(version) }));
}

export const opsetsFit = (opsets: List<Opset>): boolean =>
  sameBytes(encodeOpsets(opsets ?? []), encodeOpsets(writeOpsets(readOpsets(opsets), undefined)));

const encodeOpsets = (opsets: readonly Opset[]) =>
  onnx.ModelProto.encode({ opsetImport: [...opsets] }).finish();

const sameMap = <V>(one: ReadonlyMap<string, V>, other: ReadonlyMap<string, V>): boolean =>
  one.size === other.size && [...one].every(([key, value]) => other.get(key) === value);

export const sameBytes = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && one.every((byte, index) => byte === other[index]);
