import type { Certificate, DeviceResult } from '../../schemas/certificate.ts';
import { UserError } from '../../schemas/errors.ts';
import { version } from '../../schemas/version.ts';
import { type Answers, answersOf } from './answers.ts';
import { type CommonOptions, deviceResult, type RunAll, runDevice } from './certify.ts';
import { compareAnswers } from './compare.ts';
import { digestOf } from './digest.ts';
import { digestOfExamples, examplesOf, isRecorded, recordOf } from './record.ts';
import { onReference } from './runs.ts';
import { type Subject, subjectOf } from './subject.ts';

/** What a check of a certificate found. */
export interface CertificateCheck {
  readonly devices: readonly DeviceResult[];
}

/**
 * Runs a model on the inputs of its certificate, on other devices than those that are in it.
 *
 * @param model bytes of the .onnx file that came with the certificate
 * @throws UserError where the model is not that of the certificate, its inputs cannot be made, or the reference finds
 *   otherwise than the certificate says
 */
export async function checkCertificate(
  model: Uint8Array,
  certificate: Certificate,
  options: CommonOptions,
): Promise<CertificateCheck> {
  const { devices, file = 'model.onnx', data, onProgress = () => {} } = options;
  const found = await digestOf(model);
  const { sha256 } = certificate.model;
  if (found !== sha256)
    throw new UserError(
      `${file}: is not the model of its certificate: its SHA-256 is ${found}, expected ${sha256}`,
    );
  const subject = subjectOf(model, file);
  const examples = examplesOf(subject, certificate.inputs, data);
  if ((await digestOfExamples(examples, subject.batch)) !== certificate.inputs.sha256)
    throw new UserError(
      `${file}: the inputs are not those of its certificate; give the data that it was made on`,
    );
  const seed = certificate.inputs.kind === 'seeded' ? certificate.inputs.seed : 1;
  const runAll: RunAll = (who, run) =>
    answersOf(subject, examples, seed, run, (done) => onProgress(who, done, examples.count));

  let reference: Answers | undefined;
  const results: DeviceResult[] = [];
  for (const device of devices) {
    const answers = await runDevice(subject, device, runAll);
    if ('verdict' in answers) {
      results.push(answers);
      continue;
    }
    if (await isRecorded(answers, certificate)) {
      results.push(deviceResult(device, sameAs(certificate)));
      continue;
    }
    // Hashes say that something differs; only the reference says what, and by how much.
    reference ??= await checkedReference(subject, certificate, runAll);
    results.push(deviceResult(device, compareAnswers(reference, answers)));
  }
  return { devices: results };
}

/** What is said of a device that gave exactly what the reference did. */
const sameAs = ({ reference }: Certificate): Omit<DeviceResult, 'name' | 'detail'> => ({
  verdict: 'identical',
  differingSpikes: {},
  differingPredictions: 0,
  outputs: Object.fromEntries(
    Object.keys(reference.outputs).map((name) => [name, { identical: true, largestDifference: 0 }]),
  ),
});

/** @throws UserError where the reference, run here, is not that of the certificate in what is exact */
async function checkedReference(
  subject: Subject,
  { reference, versions }: Certificate,
  runAll: RunAll,
): Promise<Answers> {
  const found = await runAll('reference', onReference(subject));
  const { layers, outputs } = await recordOf(found);
  const expected = { ...reference.layers, ...reference.outputs };
  const odd = Object.entries({ ...layers, ...outputs }).find(
    ([name, { exact, sha256 }]) => exact && expected[name]?.sha256 !== sha256,
  );
  if (odd) {
    throw new UserError(
      `${subject.file}: the reference of bitspike ${version} gives other ${odd[0]} than the certificate, made by ${versions['bitspike']}, says; is the certificate damaged?`,
    );
  }
  return found;
}
