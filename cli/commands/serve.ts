import { basename } from 'node:path';
import type { Command } from 'commander';
import { devices, type LoadOptions } from '../../runtime/index.ts';
import { serve, serveOptionsSchema } from '../../runtime/serve/index.ts';
import { UserError } from '../../schemas/errors.ts';
import { interruptible } from '../interrupt.ts';
import { addThreads, choice, count, number, whole } from '../options.ts';
import { say } from '../output.ts';

interface Options {
  readonly name?: string;
  readonly device: NonNullable<LoadOptions['device']>;
  readonly threads?: number;
  readonly host: string;
  readonly port: number;
  readonly maxBatch: number;
  readonly maxDelay: number;
  readonly inlineLimit: number;
  readonly queue: number;
  readonly bodyLimit: number;
  readonly timeout: number;
  readonly headersTimeout: number;
  readonly requestTimeout: number;
  readonly connections: number;
  readonly grace: number;
}

const readers = {
  host: ['address', String],
  port: ['number', whole],
  maxBatch: ['examples', count],
  maxDelay: ['ms', number],
  inlineLimit: ['ms', number],
  queue: ['requests', count],
  bodyLimit: ['bytes', count],
  timeout: ['seconds', number],
  headersTimeout: ['seconds', number],
  requestTimeout: ['seconds', number],
  connections: ['count', count],
  grace: ['seconds', number],
} as const satisfies Partial<Record<keyof typeof serveOptionsSchema.shape, unknown>>;

const defaults = serveOptionsSchema.parse({});

const flagOf = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

export function define(command: Command): void {
  command
    .argument('<models...>', '.onnx files that bitspike exported; each is called by the name of its file')
    .option('--name <name>', 'What to call the model, where there is only one')
    .addOption(choice('--device <device>', 'Where to compute', devices).default('cpu'));
  addThreads(command);
  for (const [name, [what, read]] of Object.entries(readers)) {
    const { description = '' } = serveOptionsSchema.shape[name as keyof typeof readers].meta() ?? {};
    command.option(
      `--${flagOf(name)} <${what}>`,
      description.replace(/\.$/, ''),
      read as (text: string) => string | number,
      defaults[name as keyof typeof readers],
    );
  }
  command.action(run);
}

async function run(files: readonly string[], { name, device, threads, ...settings }: Options): Promise<void> {
  if (name !== undefined && files.length > 1) {
    throw new UserError(`serve: --name is for one model; there are ${files.length}, called by their files`);
  }
  const models = files.map((file) => ({
    name: name ?? basename(file).replace(/\.onnx$/, ''),
    file,
    device,
    ...(threads !== undefined && { threads }),
  }));
  // To be told to stop is how a server ends: that is no failure.
  await interruptible(
    async (signal) => {
      const server = await serve(models, settings);
      for (const model of models) say(`${model.file}: ${server.url}/v2/models/${model.name} on ${device}`);
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
      await server.close();
    },
    () => say('stopping: finishing what has come; again to stop at once'),
  );
  say('stopped');
}
