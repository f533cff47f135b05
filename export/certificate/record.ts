import type { Certificate } from '../../schemas/certificate.ts';
import { UserError } from '../../schemas/errors.ts';
import type { Answers } from './answers.ts';
import { countBits } from './compare.ts';
import { bytesOf, digestOf, joinBytes } from './digest.ts';
import { type Examples, exampleSize, givenExamples, seededExamples } from './inputs.ts';
import type { Subject } from './subject.ts';

/** Real examples in place of seeded ones. */
export interface GivenData {
  /** What to call them. */
  readonly name: string;
  /** [examples, …] as `run` of a loaded network takes them. */
  readonly inputs: Uint8Array | Float32Array;
}

type Inputs = Certificate['inputs'];
type WithoutDigest<T> = T extends unknown ? Omit<T, 'sha256'> : never;
/** What a certificate says of its inputs, but for their hash. */
export type Recipe = WithoutDigest<Inputs>;

/** The examples that a certificate names. @throws UserError where the data given are not those */
export function examplesOf(subject: Subject, inputs: Recipe, data: GivenData | undefined): Examples {
  const { model } = subject.description;
  if (inputs.kind === 'seeded') {
    if (data) throw new UserError(`${subject.file}: its certificate is of seeded inputs; leave the data out`);
    return seededExamples(model, inputs.count, inputs.seed);
  }
  if (!data)
    throw new UserError(`${subject.file}: its certificate was made on ${inputs.data}; give these data`);
  const size = exampleSize(model);
  const Wanted = model.input.type === 'uint8' ? Uint8Array : Float32Array;
  if (!(data.inputs instanceof Wanted) || data.inputs.length === 0 || data.inputs.length % size !== 0) {
    throw new UserError(
      `${subject.file}: ${data.name} are no examples of it; expected a ${Wanted.name} of ${size} numbers for each`,
    );
  }
  return givenExamples(model, data.inputs);
}

/** SHA-256 of the hexadecimal SHA-256 of every example. */
export async function digestOfExamples(examples: Examples, batch: number): Promise<string> {
  const digests: Uint8Array[] = [];
  for (let start = 0; start < examples.count; start += batch) {
    const taken = examples.take(start, Math.min(batch, examples.count - start));
    const size = taken.length / Math.min(batch, examples.count - start);
    for (let at = 0; at < taken.length; at += size)
      digests.push(new TextEncoder().encode(await digestOf(bytesOf(taken.subarray(at, at + size)))));
  }
  return digestOf(joinBytes(digests));
}

/** What is written down of the reference. */
export async function recordOf({ layers, outputs }: Answers): Promise<Certificate['reference']> {
  const record: Certificate['reference'] = { layers: {}, outputs: {} };
  for (const [name, { packed, exact, values }] of layers)
    record.layers[name] = { sha256: await digestOf(packed), exact, spikes: countBits(packed), values };
  for (const [name, { rows, exact }] of outputs)
    record.outputs[name] = { sha256: await digestOf(bytesOf(rows)), exact };
  return record;
}

type Digests = Readonly<Record<string, { readonly sha256: string }>>;

const areSame = (found: Digests, expected: Digests): boolean =>
  Object.entries(expected).every(([name, { sha256 }]) => found[name]?.sha256 === sha256);

/** Whether all is bit for bit what the reference gave. */
export async function isRecorded(answers: Answers, { reference }: Certificate): Promise<boolean> {
  const { layers, outputs } = await recordOf(answers);
  return areSame(layers, reference.layers) && areSame(outputs, reference.outputs);
}
