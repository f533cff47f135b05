import type { InputDescription } from '../schemas/description.ts';
import { type Model, stepsOf } from '../schemas/model.ts';
import { fromText } from '../schemas/onnx/text.ts';
import { sha256 } from '../schemas/sha256.ts';
import type { Network } from './freeze.ts';
import { packBits } from './packed-bits.ts';

/** How an example becomes what the graph is fed. */
export function inputOf(model: Model): InputDescription {
  const { input, encoder } = model;
  const steps = stepsOf(model);
  const duration = encoder && 'duration' in encoder ? encoder.duration : undefined;
  return {
    type: input.type,
    shape: input.shape,
    ...(input.type === 'uint8' && { scale: input.scale }),
    ...(steps > 1 && { steps }),
    ...(duration !== undefined && { secondsPerStep: duration / steps }),
    ...(encoder && { encoder }),
  };
}

/** A number of tensors under their names. */
type Tensors = Readonly<Record<string, Uint8Array>>;

/** SHA-256 of a network: of its model, and of all its numbers. Every form in which it is written has the same. */
export const hashOfNetwork = ({ model, members }: Network): string =>
  hashOf(
    model,
    members.map((member) =>
      Object.fromEntries(
        Object.entries(member).map(([name, { values, data }]) => [
          name,
          values === 'binary' ? packBits(data as Int8Array) : bytesOf(data),
        ]),
      ),
    ),
  );

/** SHA-256 of what a posterior believes of a model's parameters. */
export const hashOfLearned = (
  model: Model,
  learned: Readonly<Record<string, { data: Float32Array }>>,
): string =>
  hashOf(model, [
    Object.fromEntries(Object.entries(learned).map(([name, { data }]) => [name, bytesOf(data)])),
  ]);

function hashOf(model: Model, members: readonly Tensors[]): string {
  const parts = [fromText(JSON.stringify(model))];
  for (const tensors of members) {
    for (const name of Object.keys(tensors).sort()) {
      const bytes = tensors[name] as Uint8Array;
      parts.push(fromText(`\n${name} ${bytes.length}\n`), bytes);
    }
  }
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return sha256(all);
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
