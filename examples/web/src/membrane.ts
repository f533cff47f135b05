/**
 * The membranes of a layer, out of what a stream remembers.
 *
 * A snapshot is a safetensors file: the length of a header as 8 bytes, little-endian, the header as JSON, which says
 * where each tensor lies, and the tensors.
 */
export function membraneOf(snapshot: Uint8Array, name: string): Float32Array {
  const view = new DataView(snapshot.buffer, snapshot.byteOffset, snapshot.byteLength);
  const start = 8 + Number(view.getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(snapshot.subarray(8, start))) as Record<
    string,
    { readonly data_offsets: readonly [number, number] } | undefined
  >;
  const place = header[name];
  if (!place) throw new Error(`a snapshot has no ${name}`);
  const [from, to] = place.data_offsets;
  return new Float32Array(snapshot.slice(start + from, start + to).buffer);
}
