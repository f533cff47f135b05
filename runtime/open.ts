/** Opening a model, wherever this runs. What differs between Node and browsers is in `Platform`. */
import { z } from 'zod';
import { describe } from '../schemas/description.ts';
import { UserError } from '../schemas/errors.ts';
import { checkOptions } from '../schemas/layer.ts';
import {
  type DataType,
  hasExternalData,
  type Model,
  readModel,
  type Value,
  writeModel,
} from '../schemas/onnx/index.ts';
import { chooseDevice } from './auto.ts';
import type { AutoPlace } from './auto-table.ts';
import { DEFAULT_TIMEOUT, within } from './deadline.ts';
import { LoadedNetwork } from './network.ts';
import type { DeviceModule } from './runner.ts';
import { checkSource, type Source } from './source.ts';

/** Where networks can run. */
export const devices = ['cpu', 'cuda', 'wasm', 'webgpu', 'bits'] as const;
/** A place where networks can run. */
export type Device = (typeof devices)[number];

export const loadOptionsSchema = z.strictObject({
  device: z
    .enum([...devices, 'auto'])
    .exactOptional()
    .meta({
      description:
        'Where to run: cpu and cuda are onnxruntime-node, wasm is onnxruntime-web, webgpu is either, and bits is our own engine. auto takes bits where measurements say that it is faster, and notes why. cpu in Node and wasm in a browser, unless given.',
    }),
  threads: z.int().min(1).max(1024).exactOptional().meta({
    description:
      'Threads that compute one operator. All cores of cpu and half the cores, at most 4, of wasm, unless given; wasm has one number for all models. Of bits, threads that share the examples of a batch: one, unless given.',
  }),
  timeout: z.number().positive().max(86_400).default(DEFAULT_TIMEOUT).meta({
    description: 'Seconds in which the model has to be fetched, and again in which it has to be opened.',
  }),
  observe: z.array(z.string()).readonly().default([]).meta({
    description: 'Layers, by the names in description.layers, whose outputs run shall return too.',
  }),
  onnxruntime: z.string().min(1).exactOptional().meta({
    description:
      'In a page without a bundler: the address of the folder that holds the files of onnxruntime-web.',
  }),
  batch: z.int().min(1).max(1_048_576).default(1).meta({
    description: 'Examples that will be run at once, which auto goes by.',
  }),
});

/** Where and how a network is opened: options of `load`. */
export type LoadOptions = z.input<typeof loadOptionsSchema>;

/** What a program that runs networks has around it. */
export interface Platform {
  /** As a word in errors: 'Node'. */
  readonly name: string;
  readonly defaultDevice: AutoPlace;
  /** Each is loaded when it is named. */
  readonly devices: Readonly<Partial<Record<Device, () => Promise<DeviceModule>>>>;
  /** Why the others are not there. */
  readonly absent: Readonly<Partial<Record<Device, string>>>;
  /** Reads a model that is not bytes already. @param seconds how long fetching may take */
  read(source: string | URL, seconds: number): Promise<Uint8Array>;
}

/** Opens an exported network; see `load`. */
export async function openNetwork(
  platform: Platform,
  source: Source,
  options: LoadOptions = {},
): Promise<LoadedNetwork> {
  checkSource(source);
  const {
    device: wanted = platform.defaultDevice,
    batch,
    timeout,
    observe,
    ...rest
  } = checkLoadOptions(options);
  if (wanted !== 'auto') deviceOf(platform, wanted);
  const isBytes = source instanceof Uint8Array;
  const file = isBytes ? 'model' : String(source);
  const bytes = isBytes ? source : await platform.read(source, timeout);
  // A runtime would look for it from wherever the program runs.
  if (hasExternalData(bytes, file)) {
    throw new UserError(`${file}: keeps tensors in other files; give its path in Node, where they are read`);
  }
  const model = readModel(bytes, file);
  const description = describe(model, file);
  const outputs = [...model.graph.outputs.map(({ name }) => name), ...observe];
  const opened = observe.length > 0 ? observing(model, observe, file) : bytes;
  const { device, reason } =
    wanted === 'auto' ? chooseDevice(description, platform.defaultDevice, batch) : { device: wanted };
  const runner = await within(
    deviceOf(platform, device)().then(({ open }) => open(opened, rest, file)),
    timeout,
    `${file}: opening it on ${device}`,
    (late) => late.release(),
  );
  return new LoadedNetwork(description, device, runner, { outputs, model: bytes, ...(reason && { reason }) });
}

function deviceOf({ name, devices: known, absent }: Platform, device: Device): () => Promise<DeviceModule> {
  const found = known[device];
  if (!found) throw new UserError(`device '${device}' is not in ${name}: ${absent[device]}`);
  return found;
}

function checkLoadOptions(options: LoadOptions): z.output<typeof loadOptionsSchema> {
  const { device } = options;
  if (device !== undefined && device !== 'auto' && !devices.includes(device)) {
    throw new UserError(
      `load: there is no device '${String(device)}'; expected one of ${devices.join(', ')}, auto`,
    );
  }
  return checkOptions(loadOptionsSchema, options, 'load');
}

/** The same model with more of its values as outputs. */
function observing(model: Model, names: readonly string[], file: string): Uint8Array {
  const type: DataType = 'uint8';
  for (const name of names) {
    if (!model.graph.has(name)) {
      throw new UserError(`${file}: there is no layer '${name}' to observe; description.layers lists them`);
    }
    model.graph.output(name as Value, type);
  }
  return writeModel(model);
}
