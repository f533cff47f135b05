import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { Command } from 'commander';
import {
  type CertifiedDevice,
  certify,
  checkCertificate,
  type GivenData,
} from '../../export/certificate/index.ts';
import { freeze, type FreezeOptions, type Network } from '../../export/index.ts';
import { type Device, devices } from '../../runtime/index.ts';
import { readModelFile } from '../../runtime/load.ts';
import { presentDevices } from '../../runtime/present.ts';
import { type Certificate, parseCertificate } from '../../schemas/certificate.ts';
import { codeOf } from '../../schemas/checkpoint/durable.ts';
import { type Description, describe } from '../../schemas/description.ts';
import { reasonOf, UserError } from '../../schemas/errors.ts';
import { readModel } from '../../schemas/onnx/index.ts';
import type { Split } from '../../train/data/index.ts';
import { addJson, addThreads, choice, count, someOf, whole } from '../options.ts';
import { grouped } from '../output.ts';
import { ProgressLine } from '../progress.ts';
import { tellVerified } from '../verify-text.ts';
import { checkTarget, writeWhole } from '../write-file.ts';

interface VerifyOptions {
  readonly certificate?: string;
  readonly renew?: true;
  readonly inputs?: number;
  readonly seed?: number;
  readonly data?: string;
  readonly split: Split;
  readonly limit?: number;
  readonly run?: string;
  readonly devices?: readonly Device[];
  readonly threads?: number;
  readonly json?: true;
}

export function define(command: Command): void {
  command
    .argument('<file>', 'An .onnx that bitspike exported')
    .option(
      '--certificate <file>',
      'Check this one (default: FILE.certificate.json beside it, if it is there)',
    )
    .option('--renew', 'Make a new certificate even where there is one')
    .option('--inputs <count>', 'Of a new one: seeded inputs (default: 1000, of large networks fewer)', count)
    .option('--seed <number>', 'Of a new one: decides the inputs and the noise (default: 1)', whole)
    .option('--data <kind>', 'Real examples in place of seeded ones; docs/data.md')
    .addOption(choice('--split <name>', 'Which half of the data', ['train', 'test']).default('test'))
    .option('--limit <count>', 'Take only the first so many of the data', count)
    .option(
      '--run <folder>',
      'Of a new one: the training it was exported from, to hold the file against the oracle',
    )
    .option(
      '--devices <list>',
      `Where to run, of ${devices.join(',')} (default: all that are here)`,
      someOf(devices),
    );
  addJson(addThreads(command)).action(run);
}

/** Where the certificate of a model lies: beside it. */
const besideOf = (file: string): string =>
  join(dirname(file), `${basename(file).replace(/\.onnx$/, '')}.certificate.json`);

async function run(file: string, options: VerifyOptions): Promise<void> {
  const path = options.certificate ?? besideOf(file);
  const model = await readModelFile(file);
  const description = describe(readModel(model, file), file);
  const known = options.renew ? undefined : await readCertificate(path, options.certificate !== undefined);
  const odd = (['inputs', 'seed', 'run'] as const).find((name) => options[name] !== undefined);
  if (known && odd)
    throw new UserError(
      `verify: --${odd} is for a new certificate, and ${path} is there; add --renew to replace it`,
    );
  if (!known) await checkTarget(path);
  const data =
    options.data === undefined ? undefined : await dataOf(description, file, options.data, options);
  const threads = options.threads === undefined ? {} : { threads: options.threads };
  const present: CertifiedDevice[] = await presentDevices(options.devices, threads);
  if (present.length === 0)
    throw new UserError(
      'verify: there is no device here; npm install onnxruntime-node, or name one with --devices',
    );
  const progress = new ProgressLine();
  const onProgress = (who: string, done: number, examples: number): void =>
    progress.show(() => `${who}: ${grouped(done)} of ${grouped(examples)} inputs`);
  const how = { json: options.json, mustOpen: options.devices !== undefined };
  const common = { devices: present, file: basename(file), onProgress, ...(data && { data }) };

  if (known) {
    const { devices: results } = await checkCertificate(model, known, { ...common, file });
    progress.clear();
    tellVerified(file, known, results, `checked against ${path}`, how);
    return;
  }
  const network = options.run === undefined ? undefined : await networkOf(options.run, description, file);
  const { inputs, seed } = options;
  const certificate = await certify(model, {
    ...common,
    ...(inputs !== undefined && { inputs }),
    ...(seed !== undefined && { seed }),
    ...(network && { network }),
    versions: {
      node: process.versions.node,
      v8: process.versions.v8,
      platform: `${process.platform} ${process.arch}, ${availableParallelism()} cores`,
    },
  });
  await writeWhole(path, new TextEncoder().encode(`${JSON.stringify(certificate, null, 2)}\n`));
  progress.clear();
  tellVerified(file, certificate, certificate.devices, `wrote ${path}`, how);
}

/** @param isNamed whether it has to be there */
async function readCertificate(path: string, isNamed: boolean): Promise<Certificate | undefined> {
  let text: Uint8Array;
  try {
    text = await readFile(path);
  } catch (cause) {
    if (!isNamed && codeOf(cause) === 'ENOENT') return undefined;
    throw new UserError(`${path}: cannot read the certificate: ${reasonOf(cause)}`, { cause });
  }
  return parseCertificate(text, path);
}

async function dataOf(
  { model }: Description,
  file: string,
  data: string,
  { split, limit }: VerifyOptions,
): Promise<GivenData> {
  // Who only checks a certificate needs none of what reads data and posteriors.
  const { inputsFor, openData } = await import('../data.ts');
  const opened = await openData({ data, ...(limit !== undefined && { limit }) }, split, model);
  return { name: `${data} ${split}`, inputs: inputsFor(model, opened, file) };
}

/** The network that the file was made of, out of the posterior that the training saved. */
async function networkOf(folder: string, { weights }: Description, file: string): Promise<Network> {
  const { recalibrated, ...how } = weights;
  if (recalibrated !== undefined)
    throw new UserError(
      `${file}: its biases were moved after freezing, so ${folder} alone does not give its network; leave --run out`,
    );
  const { loadTrained } = await import('../trained.ts');
  const { posterior } = await loadTrained(folder);
  return freeze(posterior, how as FreezeOptions);
}
