/**
 * The 1-bit engine against onnxruntime with the same network, one call at a time on one thread, packing of the inputs
 * included: onnxruntime-web with float32 weights and with integers, onnxruntime-node with integers, and snnTorch.
 */
import { parseArgs } from 'node:util';
import { type CaseName, cases, inputsOf } from './bits/cases.ts';
import { bitsContender, peers, runtimeContender, snnTorchContender } from './bits/contenders.ts';
import { peakRate } from './bits/peak.ts';
import { compareAll, type Findings } from './harness.ts';
import { integers, severalOf } from './options.ts';

/** `--cases dense-1024/1,snn/1 --peers ort-web,ort-node --rounds 5 --steps 20`. */
export const run = async (options: string[]): Promise<Findings> => {
  const names = Object.keys(cases) as CaseName[];
  const { values } = parseArgs({
    args: options,
    options: {
      cases: { type: 'string', default: names.join() },
      peers: { type: 'string', default: peers.join() },
      rounds: { type: 'string', default: '5' },
      steps: { type: 'string', default: '20' },
    },
  });
  const chosen = severalOf('peers', values.peers, peers);
  const rounds = integers('rounds', values.rounds)[0] as number;
  const steps = integers('steps', values.steps)[0] as number;
  const found: Findings[] = [];
  const notes: string[] = [];
  const peak = await peakRate();
  notes.push(
    `the popcount kernel alone, all in the first-level cache: ${giga(peak)} binary operations a second`,
  );
  for (const name of severalOf('cases', values.cases, names)) {
    const given = cases[name];
    const isStream = name === 'stream-step';
    const isSpiking = isStream || name.startsWith('snn');
    const sides = chosen.filter((peer) => peer !== 'snntorch' || isSpiking);
    const others = await Promise.all(
      sides.map((peer) =>
        peer === 'snntorch' ? snnTorchContender(given, isStream) : runtimeContender(peer, given, isStream),
      ),
    );
    const findings = await compareAll(name, sides, [bitsContender(given, isStream), ...others], {
      rounds,
      steps,
      warmUp: steps,
    });
    found.push(findings);
    const ours = findings.rows[0]?.ours;
    if (name.startsWith('dense') && ours) {
      const inputs = inputsOf(given, 1).data.length;
      const rate = (2 * inputs * (given.model.input.shape[0] as number)) / (ours / 1000);
      notes.push(`${name}: ${giga(rate)} binary operations a second`);
    }
  }
  return {
    rows: found.flatMap(({ rows }) => rows),
    notes: [...notes, ...new Set(found.flatMap((each) => each.notes))],
  };
};

const giga = (rate: number): string => `${(rate / 1e9).toFixed(0)} × 10⁹`;
