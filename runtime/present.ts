/** The devices that this machine has, to be opened one by one. */
import { reasonOf, UserError } from '../schemas/errors.ts';
import { DEFAULT_TIMEOUT, within } from './deadline.ts';
import { node } from './load.ts';
import { type Device, devices } from './open.ts';
import type { Availability, DeviceModule, Runner, RunnerOptions } from './runner.ts';

/** A device that can be used here. */
export interface PresentDevice {
  readonly name: Device;
  /** What it is, with the version of what runs it. */
  readonly detail: string;
  /** @throws UserError when the device refuses the model */
  open(model: Uint8Array): Promise<Runner>;
}

/**
 * Looks for devices.
 *
 * @param wanted those that must be there; all that are there, unless given
 * @throws UserError for one that is not there; the line says what to do
 */
export async function presentDevices(
  wanted?: readonly Device[],
  options: RunnerOptions = {},
): Promise<PresentDevice[]> {
  const unknown = wanted?.find((name) => !devices.includes(name));
  if (unknown !== undefined)
    throw new UserError(`there is no device '${String(unknown)}'; expected one of ${devices.join(', ')}`);
  const found: PresentDevice[] = [];
  for (const name of devices) {
    const load = node.devices[name];
    if ((wanted && !wanted.includes(name)) || !load) continue;
    const report = await lookAt(load, options);
    if (report.available) found.push(presentDevice(name, report.detail, load, options));
    else if (wanted) throw new UserError(`device '${name}': ${report.why}; ${report.remedy}`);
  }
  return found;
}

/** A module that cannot even be loaded is no device. */
async function lookAt(load: () => Promise<DeviceModule>, options: RunnerOptions): Promise<Availability> {
  try {
    return await (await load()).probe(options);
  } catch (error) {
    return { available: false, why: reasonOf(error), remedy: 'take another device' };
  }
}

const presentDevice = (
  name: Device,
  detail: string,
  load: () => Promise<DeviceModule>,
  options: RunnerOptions,
): PresentDevice => ({
  name,
  detail,
  open: (model) =>
    within(
      load().then((module) => module.open(model, options, 'model')),
      DEFAULT_TIMEOUT,
      `opening the model on ${name}`,
      (late) => late.release(),
    ),
});
