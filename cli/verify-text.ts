/** What `verify` says. */
import type { Certificate, DeviceResult } from '../schemas/certificate.ts';
import { UserError } from '../schemas/errors.ts';
import { facts, grouped, percent, say, sayJson, table } from './output.ts';

/**
 * Says what a certificate, or a check of one, found.
 *
 * @param done what was done, as the last line
 * @param mustOpen whether every device has to open the file, or one is enough
 * @throws UserError where a device or the network is not what the file is
 */
export function tellVerified(
  file: string,
  certificate: Certificate,
  results: readonly DeviceResult[],
  done: string,
  { json, mustOpen }: { readonly json: true | undefined; readonly mustOpen: boolean },
): void {
  const { inputs, reference, oracle } = certificate;
  const layers = Object.values(reference.layers);
  const values = layers.reduce((sum, layer) => sum + layer.values, 0);
  const spikes = layers.reduce((sum, layer) => sum + layer.spikes, 0);
  const exact = layers.filter((layer) => layer.exact).length;
  say(
    facts({
      model: `${file}, SHA-256 ${certificate.model.sha256.slice(0, 16)}…`,
      inputs:
        inputs.kind === 'seeded'
          ? `${grouped(inputs.count)}, seed ${inputs.seed}`
          : `${grouped(inputs.count)} of ${inputs.data}`,
      spikes: `${grouped(spikes)} of ${grouped(values)} (${percent(values ? spikes / values : 0)}), in ${exact} of ${layers.length} layers fixed bit by bit`,
      ...(oracle && { oracle: oracleText(oracle) }),
    }),
  );
  say();
  say(
    table([
      ['device', 'verdict', 'differing spikes', 'differing predictions', 'largest difference'],
      ...results.map(({ name, verdict, differingSpikes, differingPredictions, outputs }) => [
        name,
        verdict,
        grouped(total(differingSpikes)),
        grouped(differingPredictions),
        differenceText(outputs),
      ]),
    ]),
  );
  say();
  say(done);
  for (const { name, why } of results) if (why !== undefined) say(`${name} does not open it: ${why}`);
  const silent = Object.entries(reference.layers).filter(
    ([, layer]) => layer.spikes === 0 || layer.spikes === layer.values,
  );
  for (const [name, layer] of silent)
    say(`${name} ${layer.spikes === 0 ? 'never' : 'always'} fires, so of it the certificate says little`);
  if (json) sayJson({ file, certificate, devices: results });
  fail(file, oracle, results, mustOpen);
}

const total = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, each) => sum + each, 0);

const oracleText = ({ differingSpikes, largestDifference }: NonNullable<Certificate['oracle']>): string =>
  `${grouped(total(differingSpikes))} spikes of the frozen network differ, logits by up to ${largestDifference.toExponential(1)}`;

function differenceText(outputs: DeviceResult['outputs']): string {
  const [name, most] = Object.entries(outputs)
    .map(([output, { largestDifference }]) => [output, largestDifference] as const)
    .reduce((one, other) => (other[1] > one[1] ? other : one), ['', 0]);
  return most === 0 ? '0' : `${most.toExponential(1)} in ${name}`;
}

function differs(counts: Readonly<Record<string, number>>): string {
  const [layer, count] = Object.entries(counts)[0] ?? [];
  return layer === undefined
    ? 'its outputs differ'
    : `${grouped(count as number)} spikes of layer ${layer} differ`;
}

/** @throws UserError for a device, or a network, that is not what the file says */
function fail(
  file: string,
  oracle: Certificate['oracle'],
  results: readonly DeviceResult[],
  mustOpen: boolean,
): void {
  const refused = results.filter(({ verdict }) => verdict === 'refused');
  if (mustOpen ? refused.length > 0 : refused.length === results.length)
    throw new UserError(`${file}: ${refused[0]?.name} does not open it: ${refused[0]?.why}`);
  const wrong = results.find(({ verdict }) => verdict === 'different');
  if (wrong)
    throw new UserError(
      `${file}: does not run on ${wrong.name} (${wrong.detail}) as it should: ${differs(wrong.differingSpikes)}`,
    );
  if (oracle && total(oracle.differingSpikes) > 0)
    throw new UserError(`${file}: is not what its network is: ${differs(oracle.differingSpikes)}`);
}
