/** What of the runtime is Node's own besides `load`. */
import { availableParallelism } from 'node:os';
import type { Inputs } from './examples.ts';
import { node } from './load.ts';
import type { Device, LoadOptions } from './open.ts';
import { compareOn, type Parity } from './parity.ts';
import { type Diagnosis, probePlatform } from './probe.ts';
import type { Source } from './source.ts';

/** The oldest Node that this library runs on: `engines` of package.json. */
const OLDEST_NODE = [20, 19] as const;

/** @param version such as `20.19.0` */
export function nodeText(version: string): string {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldest, least] = OLDEST_NODE;
  const isOld = major < oldest || (major === oldest && minor < least);
  return `Node ${version}${isOld ? `, which is too old: expected ${OLDEST_NODE.join('.')} or newer` : ''}`;
}

/** What this machine can run networks on, and what to do about the rest. */
export const probeDevices = (): Promise<Diagnosis> =>
  probePlatform(node, {
    runtime: nodeText(process.versions.node),
    platform: `${process.platform} ${process.arch}`,
    cores: availableParallelism(),
  });

/**
 * Runs the same inputs on several devices and compares every output and every neuron layer, to the last bit.
 *
 * @param devices the others are compared with the first
 * @throws UserError as `load` and `run` do
 */
export const compareDevices = (
  source: Source,
  inputs: Inputs,
  devices: readonly [Device, ...Device[]],
  options?: Omit<LoadOptions, 'device' | 'observe'>,
): Promise<Parity> => compareOn(node, source, inputs, devices, options);
