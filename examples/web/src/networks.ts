import { type Device, load, type LoadedNetwork } from 'bitspike/runtime';

/** The networks of the page, opened on one device. */
export interface Networks {
  /** An ensemble that reads a digit at once. */
  readonly digits: LoadedNetwork;
  /** A spiking one that looks at it step after step; opened the first time that it is asked for. */
  readonly spiking: () => Promise<LoadedNetwork>;
}

/** What `make-models.ts` found out about them, on digits that they never saw. */
export interface Facts {
  /** Part of the digits that is answered, for its entropy is not above the doubt; part of those that is right. */
  readonly answered: number;
  readonly accuracyOfAnswered: number;
  /** Parts of all digits whose likeliest class is right. */
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

/** A value that is made when it is asked for, once; again where that failed. */
function once<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let made: Promise<Value> | undefined;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}

const files = { digits: once(() => bytesAt('digits.onnx')), spiking: once(() => bytesAt('spiking.onnx')) };
const opened = new Map<Device, () => Promise<Networks>>();

/** The networks on a device; opened the first time that it is asked for. */
export function networksOn(device: Device): Promise<Networks> {
  const networks = opened.get(device) ?? once(() => open(device));
  opened.set(device, networks);
  return networks();
}

async function open(device: Device): Promise<Networks> {
  const digits = await load(await files.digits(), { device });
  const observe = ['1.lif', '3.lif'];
  const spiking = once(async () => load(await files.spiking(), { device, observe }));
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
