/** What a certificate says, for who has to decide by it: the verdict first, then what it rests on. */
import type { Certificate, DeviceResult } from '../../schemas/certificate.ts';
import { bytesText, grouped, percent } from '../output.ts';
import type { Report } from './gather.ts';
import { escaped, factsHtml, tableHtml } from './html.ts';

const total = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0);

const named = (names: readonly string[]): string =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;

/** The worst verdict decides: what a device says of the network in a sentence, and whether it is good. */
function verdictOf({ devices, oracle, inputs }: Certificate): {
  readonly isGood: boolean;
  readonly text: string;
} {
  const having = (...verdicts: readonly DeviceResult['verdict'][]): string[] =>
    devices.filter(({ verdict }) => verdicts.includes(verdict)).map(({ name }) => name);
  const [different, refused, close] = [having('different'), having('refused'), having('close')];
  const isOther = oracle !== undefined && total(oracle.differingSpikes) > 0;
  if (isOther || different.length > 0) {
    const on = different.length > 0 ? `answers differently on ${named(different)}` : 'runs as it is written';
    return { isGood: false, text: `The file ${on}${isOther ? ', and is not what its network is' : ''}.` };
  }
  const same = having('identical', 'close');
  if (same.length === 0) return { isGood: false, text: 'No device opens the file.' };
  const besides = [
    ...(close.length > 0 ? [`on ${named(close)} but for rounding, which decides a few spikes`] : []),
    ...(refused.length > 0 ? [`${named(refused)} does not open it`] : []),
  ];
  const more = besides.length > 0 ? `; ${besides.join('; ')}` : '';
  return {
    isGood: true,
    text: `The file fires the same spikes on ${named(same)} for all ${grouped(inputs.count)} inputs${more}.`,
  };
}

function differenceText(outputs: DeviceResult['outputs']): string {
  const [name, most] = Object.entries(outputs)
    .map(([output, { largestDifference }]) => [output, largestDifference] as const)
    .reduce((one, other) => (other[1] > one[1] ? other : one), ['', 0]);
  return most === 0 ? 'none' : `${most.toExponential(1)} in ${name}`;
}

const deviceRow = (device: DeviceResult): string[] => {
  const { name, verdict, detail, differingSpikes, differingPredictions, outputs, why } = device;
  const answered = verdict !== 'refused';
  return [
    name,
    verdict,
    answered ? grouped(total(differingSpikes)) : '–',
    answered ? grouped(differingPredictions) : '–',
    answered ? differenceText(outputs) : '–',
    why ?? detail,
  ];
};

const hashText = (hash: string): string => `${hash.slice(0, 16)}…`;

function factsOf({ model, inputs, reference, oracle }: Certificate): Record<string, string> {
  const layers = Object.values(reference.layers);
  const values = layers.reduce((sum, layer) => sum + layer.values, 0);
  const spikes = layers.reduce((sum, layer) => sum + layer.spikes, 0);
  return {
    file: model.file,
    size: bytesText(model.bytes),
    'its SHA-256': model.sha256.slice(0, 12),
    inputs:
      inputs.kind === 'seeded'
        ? `${grouped(inputs.count)}, seed ${inputs.seed}`
        : `${grouped(inputs.count)} of ${inputs.data}`,
    'activations compared': grouped(values),
    'of them spikes': values > 0 ? percent(spikes / values) : '–',
    ...(oracle && {
      'equations against file': `${grouped(total(oracle.differingSpikes))} spikes differ`,
    }),
  };
}

/** The section of a report; empty where there is no certificate. */
export function certificateSection({ certificate, onnx }: Report): string {
  if (!certificate) return '';
  const { file, content } = certificate;
  const { isGood, text } = verdictOf(content);
  const whose =
    content.model.sha256 === onnx.sha256
      ? 'It is of the network of this page.'
      : 'It is of another file than the network of this page, such as an ensemble of its posterior.';
  const layers = Object.entries(content.reference.layers).map(([name, layer]) => [
    name,
    grouped(layer.values),
    grouped(layer.spikes),
    layer.values > 0 ? percent(layer.spikes / layer.values) : '–',
    layer.exact ? 'every bit fixed' : 'to rounding',
    hashText(layer.sha256),
  ]);
  const versions = Object.entries(content.versions).map(([name, version]) => `${name} ${version}`);
  return `<section><h2>Certificate</h2>
<p class="verdict ${isGood ? 'good' : 'bad'}"><span aria-hidden="true">${isGood ? '✓' : '✗'}</span> ${escaped(text)}</p>
<p>${escaped(`From ${file}. ${whose}`)} <code>bitspike verify</code> checks it again.</p>
${factsHtml(factsOf(content))}
${tableHtml('What each device answered', [['device', 'verdict', 'differing spikes', 'differing predictions', 'largest difference', 'what it is'], ...content.devices.map(deviceRow)])}
${tableHtml('What the reference fired', [['layer', 'values', 'spikes', 'rate', 'on any device', 'SHA-256'], ...layers])}
<p class="soft">Made with ${escaped(versions.join(', '))}.</p></section>`;
}
