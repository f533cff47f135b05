import { existsSync } from 'node:fs';
import type { Browser } from 'playwright-core';
import { reasonOf } from '../../schemas/errors.ts';

/** WebGPU in software, where there is no GPU; it computes as one would. */
const softwareGpu = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-features=Vulkan',
];

export type Started = { readonly browser: Browser } | { readonly missing: string };

/**
 * A headless Chromium: the one of the package, or the system's. Where neither starts, why.
 *
 * @param more arguments of its command line
 */
export async function startChromium(more: readonly string[] = []): Promise<Started> {
  const reasons: string[] = [];
  const { chromium } = await import('playwright-core');
  for (const [name, find] of Object.entries(candidates)) {
    try {
      const executablePath = await find();
      if (executablePath === undefined) continue;
      const args = ['--no-sandbox', ...softwareGpu, ...more];
      return { browser: await chromium.launch({ executablePath, args, timeout: 60_000 }) };
    } catch (error) {
      reasons.push(`${name}: ${reasonOf(error).slice(0, 300)}`);
    }
  }
  return { missing: `no Chromium starts here: ${reasons.join('; ') || 'there is none'}` };
}

const candidates: Readonly<Record<string, () => Promise<string | undefined>>> = {
  '@sparticuz/chromium': async () => (await import('@sparticuz/chromium')).default.executablePath(),
  '/usr/bin/chromium': async () => (existsSync('/usr/bin/chromium') ? '/usr/bin/chromium' : undefined),
};
