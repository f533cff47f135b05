import { join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { makeFolder } from '../../schemas/checkpoint/durable.ts';
import { reasonOf, UserError } from '../../schemas/errors.ts';
import { addJson, addLimit, addThreads, choice, dataOption, whole } from '../options.ts';
import { bytesText, say, sayJson } from '../output.ts';
import type { Chart } from '../report/frame.ts';
import { gatherReport, type Judged, type Report, type ReportOptions } from '../report/gather.ts';
import { checkTarget, writeWhole } from '../write-file.ts';

interface Given extends ReportOptions {
  readonly out?: string;
  readonly svg?: string;
  readonly json?: true;
}

/** `0,7,12` */
function samples(text: string): number[] {
  const found = text.split(',').map(whole);
  if (found.length > 20) throw new InvalidArgumentError('Expected 20 examples at most.');
  return found;
}

export function define(command: Command): void {
  command
    .argument('<run>', 'The folder that training saved into')
    .option('--out <file>', 'The .html to write (default: report.html in that folder)')
    .option('--svg <folder>', 'Write every chart as an .svg too')
    .addOption(dataOption())
    .addOption(choice('--split <name>', 'Which half of the data', ['train', 'test']).default('test'))
    .option(
      '--samples <numbers>',
      'Examples whose spikes and membranes are drawn, such as 0,7,12',
      samples,
      [0],
    )
    .option(
      '--certificate <file>',
      'Of bitspike verify; one in the folder, or beside it of this network, unless given',
    );
  addJson(addThreads(addLimit(command))).action(run);
}

async function run(
  folder: string,
  { out = join(folder, 'report.html'), svg, json, ...options }: Given,
): Promise<void> {
  await checkTarget(out);
  // The packages that draw may be missing: better known at once.
  const { chartsOf, pageHtml } = await import('../report/page.ts');
  const { svgFile } = await import('../report/frame.ts');
  const report = await gatherReport(folder, options);
  const charts = chartsOf(report);
  const bytes = new TextEncoder().encode(pageHtml(report, charts));
  await writeWhole(out, bytes);
  say(`wrote ${out}, ${bytesText(bytes.length)}`);
  const files = svg === undefined ? [] : await writeCharts(svg, Object.values(charts).flat(), svgFile);
  if (svg !== undefined) say(`wrote ${files.length} charts into ${svg}`);
  if (report.history.length === 0) say('the folder has no history: there are no charts of the training');
  if (report.judged === undefined)
    say('give --data to judge the network too: calibration, confusion, spikes');
  if (!json) return;
  const { history, signs, judged, onnx, certificate } = report;
  const answers = judged && answersOf(judged);
  sayJson({
    run: folder,
    file: out,
    bytes: onnx.bytes,
    history,
    signs,
    charts: files,
    ...(answers && { answers }),
    ...(certificate && { certificate: verdictsOf(certificate) }),
  });
}

const verdictsOf = ({ file, content }: NonNullable<Report['certificate']>) => ({
  file,
  network: content.model.sha256,
  devices: Object.fromEntries(content.devices.map(({ name, verdict }) => [name, verdict])),
});

const answersOf = ({ data, evaluation, confusion }: Judged) => ({
  data,
  examples: evaluation.examples,
  accuracy: evaluation.accuracy,
  negativeLogLikelihood: evaluation.negativeLogLikelihood,
  brier: evaluation.brier,
  calibrationError: evaluation.calibration.error,
  riskCoverageArea: evaluation.riskCoverage.area,
  confusion,
});

async function writeCharts(
  folder: string,
  charts: readonly Chart[],
  text: (chart: Chart) => string,
): Promise<string[]> {
  await makeFolder(folder).catch((cause: unknown) => {
    throw new UserError(`${folder}: cannot be made a folder: ${reasonOf(cause)}`, { cause });
  });
  const files: string[] = [];
  for (const chart of charts) {
    const file = join(folder, `${chart.name}.svg`);
    await writeWhole(file, new TextEncoder().encode(text(chart)));
    files.push(file);
  }
  return files;
}
