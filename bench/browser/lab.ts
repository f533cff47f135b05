/** Pages that hold the runtime, for running networks in a browser and bringing back what they say. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import type { LoadOptions, Output } from '../../runtime/index.ts';
import { type ServerOptions, type StaticServer, serve } from './server.ts';

/** What a network said in a page. */
export interface PageAnswer {
  readonly outputs: Record<string, Output>;
  readonly notes: readonly string[];
}

export interface Lab {
  readonly server: StaticServer;
  /** A page of its own that has loaded nothing yet. Whoever opens it closes it. */
  open(): Promise<Page>;
  close(): Promise<void>;
}

const html = `<!doctype html>
<html lang="en"><head><meta charset="utf-8" /><title>lab</title><script type="module" src="/lab.js"></script></head></html>`;
const script = "import * as runtime from '/runtime/bitspike-runtime.js';\nglobalThis.bitspike = runtime;\n";

/**
 * Serves the runtime as one file, and onnxruntime-web, to pages of a browser.
 *
 * @param root the folder of this repository
 * @param files what else is served: networks
 */
export async function openLab(
  browser: Browser,
  root: string,
  files: Readonly<Record<string, Uint8Array>>,
  options: ServerOptions = {},
): Promise<Lab> {
  const bundle = await mkdtemp(join(tmpdir(), 'bitspike-bundle-'));
  await promisify(execFile)(process.execPath, [join(root, 'build/bundle-browser.mjs'), bundle], {
    cwd: root,
  });
  const onnxruntime = join(root, 'node_modules/onnxruntime-web/dist');
  const places = {
    '/': html,
    '/lab.js': script,
    '/runtime/': { folder: bundle },
    '/onnxruntime/': { folder: onnxruntime },
  };
  const server = await serve({ ...places, ...files }, options);
  const context = await browser.newContext();
  // What the policy of the page refuses is kept, from before its first script on.
  await context.addInitScript(keepRefusals);
  return {
    server,
    open: async () => {
      const page = await context.newPage();
      await page.goto(`${server.origin}/`);
      return page;
    },
    close: async () => {
      await context.close();
      await server.close();
      await rm(bundle, { recursive: true, force: true });
    },
  };
}

/** Is run in the page. */
function keepRefusals(): void {
  const page = globalThis as unknown as EventTarget & { refused: string[] };
  page.refused = [];
  page.addEventListener('securitypolicyviolation', (event) => {
    const { violatedDirective, blockedURI } = event as unknown as Record<string, string>;
    page.refused.push(`${violatedDirective} ${blockedURI}`);
  });
}

/** What crosses the border of the page: text. */
type Sent = Readonly<
  Record<string, { readonly dims: readonly number[]; readonly type: string; readonly text: string }>
>;

/** Runs a network in a page, as `load` and `run` do, with all its neuron layers observed. */
export async function runInPage(
  page: Page,
  model: string,
  inputs: Uint8Array,
  options: LoadOptions,
): Promise<PageAnswer> {
  const sent = { model, text: Buffer.from(inputs).toString('base64'), options };
  const { outputs, notes } = await page.evaluate(inPage, sent);
  return { outputs: fromPage(outputs), notes };
}

/** Is run in the page, and so knows nothing of what is around it here. */
async function inPage({
  model,
  text,
  options,
}: {
  readonly model: string;
  readonly text: string;
  readonly options: LoadOptions;
}): Promise<{ readonly outputs: Sent; readonly notes: readonly string[] }> {
  const { load } = (globalThis as unknown as { bitspike: typeof import('../../runtime/index.ts') }).bitspike;
  const given = { onnxruntime: '/onnxruntime/', ...options };
  const described = await load(model, given);
  const observe = described.description.layers.flat();
  await described.close();
  const network = await load(model, { ...given, observe });
  const found = await network.run(Uint8Array.from(atob(text), (character) => character.charCodeAt(0)));
  await network.close();
  const outputs: Record<string, Sent[string]> = {};
  for (const [name, { dims, data }] of Object.entries(found)) {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    let characters = '';
    for (let at = 0; at < bytes.length; at += 4096)
      characters += String.fromCharCode(...bytes.subarray(at, at + 4096));
    outputs[name] = { dims, type: data.constructor.name, text: btoa(characters) };
  }
  return { outputs, notes: network.notes };
}

function fromPage(sent: Sent): Record<string, Output> {
  return Object.fromEntries(
    Object.entries(sent).map(([name, { dims, type, text }]) => {
      const { buffer } = Uint8Array.from(Buffer.from(text, 'base64'));
      return [
        name,
        { dims, data: type === 'Uint8Array' ? new Uint8Array(buffer) : new Float32Array(buffer) },
      ];
    }),
  );
}
