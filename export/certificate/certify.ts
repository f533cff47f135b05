import type { Certificate, DeviceResult } from '../../schemas/certificate.ts';
import { UserError } from '../../schemas/errors.ts';
import { version } from '../../schemas/version.ts';
import type { Network } from '../freeze.ts';
import { type Answers, answersOf, type RunBatch } from './answers.ts';
import { compareAnswers, differingSpikes, largestDifference } from './compare.ts';
import { digestOf } from './digest.ts';
import { defaultCount, exampleSize } from './inputs.ts';
import { digestOfExamples, examplesOf, type GivenData, type Recipe, recordOf } from './record.ts';
import { type DeviceRunner, onDevice, onOracle, onReference } from './runs.ts';
import { type Subject, subjectOf } from './subject.ts';

/** A device that is present. */
export interface CertifiedDevice {
  readonly name: string;
  /** What it is, with the version of what runs it. */
  readonly detail: string;
  /** Opens the bytes of an .onnx. @throws UserError where it does not run here */
  open(model: Uint8Array): Promise<DeviceRunner>;
}

/** Told after each batch who runs and how many examples it has done. */
export type OnProgress = (who: string, done: number, examples: number) => void;

/** What making and checking a certificate both take. */
export interface CommonOptions {
  readonly devices: readonly CertifiedDevice[];
  /** Name of the file, for the certificate and for messages. */
  readonly file?: string;
  readonly data?: GivenData;
  readonly onProgress?: OnProgress;
}

export interface CertifyOptions extends CommonOptions {
  /** How many seeded examples; 1000 unless given, of large networks and long sequences fewer. */
  readonly inputs?: number;
  /** Decides them; 1 unless given. */
  readonly seed?: number;
  /** The frozen network that the file was made of: the oracle runs it, and the file is held against it. */
  readonly network?: Network;
  /** Of what else takes part, by name. */
  readonly versions?: Readonly<Record<string, string>>;
}

/**
 * Runs a model on known inputs by the reference and on devices, and writes down what came out.
 *
 * The reference computes every operator of the file as the ONNX specification says and shares no code with what wrote
 * the file or with any runtime. A device that answers otherwise is in the certificate with its differences.
 *
 * @param model bytes of an .onnx file with all its tensors in it
 * @throws UserError where the model, the examples or the network do not fit, or a device cannot open the model
 */
export async function certify(model: Uint8Array, options: CertifyOptions): Promise<Certificate> {
  const { devices, file = 'model.onnx', seed = 1, data, network, onProgress = () => {} } = options;
  const subject = subjectOf(model, file);
  const { description } = subject;
  const count = options.inputs ?? defaultCount(description.model, description.layers.length);
  const recipe: Recipe = data
    ? { kind: 'data', data: data.name, count: data.inputs.length / exampleSize(description.model) }
    : { kind: 'seeded', seed, count };
  const examples = examplesOf(subject, recipe, data);
  const runAll: RunAll = (who, run, on = subject) =>
    answersOf(on, examples, seed, run, (done) => onProgress(who, done, examples.count));

  const reference = await runAll('reference', onReference(subject));
  const oracle = network && (await compareOracle(subject, network, reference, runAll));
  const results: DeviceResult[] = [];
  for (const device of devices) {
    const found = await runDevice(subject, device, runAll);
    results.push('verdict' in found ? found : deviceResult(device, compareAnswers(reference, found)));
  }
  return {
    format: 'bitspike certificate 1',
    model: { file, bytes: model.length, sha256: await digestOf(model) },
    inputs: { ...recipe, sha256: await digestOfExamples(examples, subject.batch) },
    reference: await recordOf(reference),
    ...(oracle && { oracle }),
    devices: results,
    versions: { bitspike: version, ...options.versions },
  };
}

/** Runs all examples of a certificate. */
export type RunAll = (who: string, run: RunBatch, subject?: Subject) => Promise<Answers>;

/** Opens the model on a device, runs all examples, and closes it; or says that the device does not open it. */
export async function runDevice(
  subject: Subject,
  device: CertifiedDevice,
  runAll: RunAll,
): Promise<Answers | DeviceResult> {
  let runner: DeviceRunner;
  try {
    runner = await device.open(subject.observed);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const nothing = { differingSpikes: {}, differingPredictions: 0, outputs: {} };
    return deviceResult(device, { verdict: 'refused', why: error.message, ...nothing });
  }
  try {
    return await runAll(device.name, onDevice(subject, runner));
  } finally {
    await runner.release();
  }
}

export const deviceResult = (
  { name, detail }: CertifiedDevice,
  found: Omit<DeviceResult, 'name' | 'detail'>,
): DeviceResult => ({ name, detail, ...found });

/** Runs the network that the file was made of by the equations of its layers. */
async function compareOracle(
  subject: Subject,
  network: Network,
  reference: Answers,
  runAll: RunAll,
): Promise<NonNullable<Certificate['oracle']>> {
  // Of an ensemble the oracle gives the spikes of every member, not the mean of what they say.
  const answers = subject.answers.filter(({ name }) => name === 'logits' || name === 'means');
  const compared = network.members.length === 1 ? answers : [];
  const oracle = await runAll('oracle', onOracle(subject, network), { ...subject, answers: compared });
  const { byLayer, marked } = differingSpikes(reference, oracle);
  const differences = compared.map(({ name }) => {
    const [ours, theirs] = [reference.outputs.get(name), oracle.outputs.get(name)];
    return ours && theirs ? largestDifference(ours, theirs, marked) : 0;
  });
  return { differingSpikes: byLayer, largestDifference: Math.max(0, ...differences) };
}
