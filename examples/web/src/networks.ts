import { type Device, load, type LoadedNetwork } from 'bitspike/runtime';

/** The networks of the page, opened on one device. */
export interface Networks {
  /** An ensemble that reads a digit at once. */
  readonly digits: LoadedNetwork;
  /** A spiking one that looks at it step after step. */
  readonly spiking: LoadedNetwork;
}

/** What `make-models.ts` found out about them. */
export interface Facts {
  /** Parts of the test digits that are read right. */
  readonly accuracy: number;
  readonly spikingAccuracy: number;
  /** Entropy in nats above which the page says that it does not know. */
  readonly doubt: number;
}

async function fetched(path: string): Promise<Response> {
  const response = await fetch(`./models/${path}`);
  if (!response.ok) throw new Error(`${path}: the server says ${response.status}`);
  return response;
}

const bytesAt = async (path: string): Promise<Uint8Array> =>
  new Uint8Array(await (await fetched(path)).arrayBuffer());

export const fetchFacts = async (): Promise<Facts> => (await fetched('facts.json')).json() as Promise<Facts>;

/** One test digit of each class: 784 bytes each. */
export const fetchSamples = (): Promise<Uint8Array> => bytesAt('samples.bin');

const files = { digits: bytesAt('digits.onnx'), spiking: bytesAt('spiking.onnx') };
const opened = new Map<Device, Promise<Networks>>();

/** The networks on a device; opened the first time that it is asked for. */
export function networksOn(device: Device): Promise<Networks> {
  let networks = opened.get(device);
  if (!networks) {
    networks = open(device);
    networks.catch(() => opened.delete(device));
    opened.set(device, networks);
  }
  return networks;
}

async function open(device: Device): Promise<Networks> {
  const digits = await load(await files.digits, { device });
  const observe = ['1.lif', '3.lif'];
  const spiking = await load(await files.spiking, { device, observe });
  return { digits, spiking };
}

/** Milliseconds that a network takes for one digit: as many runs as fit into a short while. */
export async function timeOf(network: LoadedNetwork, digit: Uint8Array): Promise<number> {
  await network.ensemble(digit);
  const started = performance.now();
  let [runs, passed] = [0, 0];
  while (passed < 30) {
    await network.ensemble(digit);
    runs++;
    passed = performance.now() - started;
  }
  return passed / runs;
}
