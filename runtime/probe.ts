/** What networks can run on here, why not, and what to do. */
import { reasonOf } from '../schemas/errors.ts';
import { version } from '../schemas/version.ts';
import { type Device, devices, type Platform } from './open.ts';
import type { Availability, RunnerOptions } from './runner.ts';

/** Whether a device is here, with what it is, or with why not and what to do. */
export type DeviceReport = { readonly device: Device } & Availability;

/** Plain data. */
export interface Diagnosis {
  /** Of this library. */
  readonly version: string;
  /** What runs the program, its cores, and what else decides what it may do. */
  readonly facts: Readonly<Record<string, string | number | boolean>>;
  /** What `load` takes unless told otherwise. */
  readonly defaultDevice: Device;
  /** In the order of `devices`. */
  readonly devices: readonly DeviceReport[];
}

/** Looks at one device after the other. */
export async function probePlatform(
  platform: Platform,
  facts: Diagnosis['facts'],
  options: RunnerOptions = {},
): Promise<Diagnosis> {
  const found: DeviceReport[] = [];
  for (const device of devices) found.push({ device, ...(await probeDevice(platform, device, options)) });
  return { version, facts, defaultDevice: platform.defaultDevice, devices: found };
}

async function probeDevice(
  { name, devices, absent }: Platform,
  device: Device,
  options: RunnerOptions,
): Promise<Availability> {
  const loadDevice = devices[device];
  if (!loadDevice) {
    return { available: false, why: `not in ${name}`, remedy: absent[device] ?? 'take another device' };
  }
  try {
    return await (await loadDevice()).probe(options);
  } catch (error) {
    return { available: false, why: reasonOf(error), remedy: 'take another device' };
  }
}
