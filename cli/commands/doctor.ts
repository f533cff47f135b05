import type { Command } from 'commander';
import { probeDevices } from '../../runtime/index.ts';
import { addJson } from '../options.ts';
import { facts, say, sayJson } from '../output.ts';

interface DoctorOptions {
  readonly json?: true;
}

export function define(command: Command): void {
  addJson(command).action(run);
}

async function run({ json }: DoctorOptions): Promise<void> {
  const diagnosis = await probeDevices();
  const { version, defaultDevice, devices } = diagnosis;
  const words = Object.entries(diagnosis.facts).map(([name, value]) => [name, String(value)] as const);
  say(facts({ bitspike: version, ...Object.fromEntries(words) }));
  say();
  const states = devices.map((found) => [
    found.device === defaultDevice ? `${found.device} (default)` : found.device,
    found.available ? `yes   ${found.detail}` : `no    ${found.why}`,
  ]);
  say(facts(Object.fromEntries(states)));
  const missing = devices.filter((found) => !found.available);
  if (missing.length > 0) say();
  for (const found of missing) if (!found.available) say(`${found.device}: ${found.remedy}`);
  if (json) sayJson(diagnosis);
}
