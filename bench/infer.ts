/**
 * One call of an exported network in onnxruntime-node on one thread against the same network with float32 weights there,
 * in eager PyTorch and, where it spikes, in snnTorch; or, in Chromium, against the float32 one in onnxruntime-web.
 */
import { parseArgs } from 'node:util';
import { UserError } from '../schemas/errors.ts';
import { runtimeContender, snnTorchContender } from './bits/contenders.ts';
import { startChromium } from './browser/chromium.ts';
import { type Absent, type Contender, compareAll, type Findings, type Rounds } from './harness.ts';
import { type InferCase, type InferCaseName, inferCases } from './infer/cases.ts';
import { chromiumContenders } from './infer/chromium.ts';
import { pytorchContender } from './infer/pytorch.ts';
import { integers, severalOf } from './options.ts';

const peers = {
  float32: (given: InferCase) => runtimeContender('ort-node-float32', given, given.isStream),
  pytorch: pytorchContender,
  snntorch: (given: InferCase) => snnTorchContender(given, given.isStream),
} as const satisfies Record<string, (given: InferCase) => Promise<Contender | Absent> | Contender>;

type PeerName = keyof typeof peers;

/** `--cases dense-4096/1,snn/1 --peers float32,pytorch,snntorch --rounds 5 --steps 40 --chromium`. */
export async function run(options: string[]): Promise<Findings> {
  const names = Object.keys(inferCases) as InferCaseName[];
  const known = Object.keys(peers) as PeerName[];
  const { values } = parseArgs({
    args: options,
    options: {
      cases: { type: 'string' },
      peers: { type: 'string', default: known.join() },
      rounds: { type: 'string', default: '5' },
      steps: { type: 'string', default: '40' },
      chromium: { type: 'boolean', default: false },
    },
  });
  const steps = integers('steps', values.steps)[0] as number;
  const turns: Rounds = { rounds: integers('rounds', values.rounds)[0] as number, steps, warmUp: steps };
  const possible = values.chromium ? names.filter((name) => !inferCases[name].isStream) : names;
  const chosen = severalOf('cases', values.cases ?? possible.join(), possible);
  const found = values.chromium
    ? await inChromium(chosen, turns)
    : await inNode(chosen, severalOf('peers', values.peers, known), turns);
  return {
    rows: found.flatMap(({ rows }) => rows),
    notes: [...new Set(found.flatMap(({ notes }) => notes))],
  };
}

async function inNode(
  names: readonly InferCaseName[],
  chosen: readonly PeerName[],
  turns: Rounds,
): Promise<Findings[]> {
  const found: Findings[] = [];
  for (const name of names) {
    const given: InferCase = inferCases[name];
    const sides = chosen.filter((peer) => peer !== 'snntorch' || given.pytorch.network === 'spiking');
    const others = await Promise.all(sides.map((peer) => peers[peer](given)));
    const ours = runtimeContender('ort-node', given, given.isStream);
    found.push(await compareAll(name, sides, [ours, ...others], turns));
  }
  return found;
}

async function inChromium(names: readonly InferCaseName[], turns: Rounds): Promise<Findings[]> {
  const started = await startChromium();
  if ('missing' in started) throw new UserError(`--chromium: ${started.missing}`);
  try {
    const found: Findings[] = [];
    for (const name of names) {
      const { sides, close } = await chromiumContenders(started.browser, inferCases[name]);
      found.push(await compareAll(`${name} in Chromium`, ['float32'], sides, turns).finally(close));
    }
    return found;
  } finally {
    await started.browser.close();
  }
}
