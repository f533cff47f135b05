/** What a report says, as plain data. */
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { freeze, type OnnxReport, reportOnnx, toOnnx } from '../../export/index.ts';
import { type Evaluation, evaluate, load } from '../../runtime/index.ts';
import { type Certificate, parseCertificate } from '../../schemas/certificate.ts';
import { codeOf } from '../../schemas/checkpoint/durable.ts';
import { UserError } from '../../schemas/errors.ts';
import type { Model } from '../../schemas/model.ts';
import type { Posterior } from '../../schemas/posterior.ts';
import { sha256 } from '../../schemas/sha256.ts';
import { type Dataset, type EpochFigures, readHistory, type Split } from '../../train/index.ts';
import { inputsFor, openData } from '../data.ts';
import { loadTrained } from '../trained.ts';
import { confusionOf } from './confusion.ts';
import { type LayerSigns, signsOf } from './signs.ts';
import { type SampleTrace, tracesOf } from './traces.ts';

export interface ReportOptions {
  /** Examples to judge the network on, as `--data` names them. */
  readonly data?: string;
  readonly limit?: number;
  readonly split: Split;
  /** Indexes of examples whose spikes are drawn. */
  readonly samples: readonly number[];
  readonly threads?: number;
  readonly certificate?: string;
}

/** How the frozen network answers on labelled examples. */
export interface Judged {
  readonly data: string;
  readonly evaluation: Evaluation;
  /** [class][predicted class]: how many examples. */
  readonly confusion: readonly (readonly number[])[];
  readonly samples: readonly SampleTrace[];
}

export interface Report {
  readonly run: string;
  readonly model: Model;
  readonly posterior: Posterior;
  readonly classNames: readonly string[];
  readonly history: readonly EpochFigures[];
  readonly signs: readonly LayerSigns[];
  /** Of the .onnx that the mean of the posterior becomes. */
  readonly onnx: OnnxReport & { readonly sha256: string };
  readonly judged?: Judged;
  readonly certificate?: { readonly file: string; readonly content: Certificate };
}

/** @throws UserError where the folder holds no training, or the data do not fit its network */
export async function gatherReport(run: string, options: ReportOptions): Promise<Report> {
  const { posterior } = await loadTrained(run);
  const { model, classNames } = posterior;
  const bytes = toOnnx(freeze(posterior));
  const hash = sha256(bytes);
  const certificate = await certificateOf(run, options.certificate, hash);
  return {
    run,
    model,
    posterior,
    classNames,
    history: await readHistory(run),
    signs: signsOf(posterior),
    onnx: { ...reportOnnx(bytes, 'the exported network'), sha256: hash },
    ...(options.data !== undefined && { judged: await judge(run, posterior, bytes, options) }),
    ...(certificate && { certificate }),
  };
}

async function judge(
  run: string,
  posterior: Posterior,
  bytes: Uint8Array,
  { data: kind = '', limit, split, samples, threads }: ReportOptions,
): Promise<Judged> {
  if (posterior.likelihood) {
    throw new UserError(
      `${run}: answers with numbers, and --data judges networks that tell classes; leave --data out`,
    );
  }
  const named = { data: kind, ...(limit !== undefined && { limit }) };
  const data = await openData(named, split, posterior.model);
  checkSamples(samples, data);
  const inputs = inputsFor(posterior.model, data, run);
  const network = await load(bytes, threads === undefined ? {} : { threads });
  try {
    const evaluation = await evaluate(network, inputs, data.labels);
    return {
      data: data.name,
      evaluation,
      confusion: confusionOf(data.labels, evaluation.predictions, posterior.classNames.length),
      samples: tracesOf(freeze(posterior), inputs, data, samples, evaluation.predictions),
    };
  } finally {
    await network.close();
  }
}

function checkSamples(samples: readonly number[], { count, name }: Dataset): void {
  const stray = samples.find((sample) => sample >= count);
  if (stray === undefined) return;
  throw new UserError(
    `report: there is no example ${stray} of ${name}; --samples are numbers from 0 to ${count - 1}`,
  );
}

/** The certificate that was named, else one in the folder of the run, else one beside it of this very network. */
async function certificateOf(
  run: string,
  named: string | undefined,
  hash: string,
): Promise<Report['certificate']> {
  if (named !== undefined) return readCertificate(named);
  const [own] = await certificatesIn(run);
  if (own !== undefined) return readCertificate(own);
  for (const file of await certificatesIn(relative('', resolve(run, '..')) || '.')) {
    // What lies beside the folder may be anybody's: only what is sound and of this network counts.
    const found = await readCertificate(file).catch(() => undefined);
    if (found?.content.model.sha256 === hash) return found;
  }
  return undefined;
}

async function certificatesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names
    .filter((name) => name.endsWith('.certificate.json'))
    .sort()
    .map((name) => join(folder, name));
}

async function readCertificate(file: string): Promise<NonNullable<Report['certificate']>> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    const problem = codeOf(cause) === 'ENOENT' ? 'is not there' : 'cannot be read';
    throw new UserError(`${file}: the certificate ${problem}; bitspike verify writes one`, { cause });
  });
  return { file, content: parseCertificate(bytes, file) };
}
