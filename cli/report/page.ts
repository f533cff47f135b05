import { sizeOf } from '../../schemas/layer.ts';
import { parametersOf, placesOf, stepsOf } from '../../schemas/model.ts';
import { version } from '../../schemas/version.ts';
import { layersText } from '../layers-text.ts';
import { parameterCounts } from '../network.ts';
import { bytesText, grouped, microseconds, percent, shapeText } from '../output.ts';
import { confusionChart, countText, reliabilityChart, riskChart, signsChart } from './answer-charts.ts';
import { certificateSection } from './certificate.ts';
import type { Chart } from './frame.ts';
import type { Report } from './gather.ts';
import { escaped, factsHtml, tableHtml } from './html.ts';
import { sampleCharts } from './sample-charts.ts';
import { pageCss } from './style.ts';
import { trainingCharts } from './training-charts.ts';

/** The charts of a report, by the section that they stand in. */
export interface Charts {
  readonly training: readonly Chart[];
  readonly posterior: readonly Chart[];
  readonly answers: readonly Chart[];
  readonly samples: readonly Chart[];
}

/** Draws all that a report has figures for. */
export function chartsOf({ history, signs, judged, classNames }: Report): Charts {
  return {
    training: trainingCharts(history),
    posterior: [signsChart(signs)],
    answers: judged
      ? [
          confusionChart(judged, classNames),
          reliabilityChart(judged.evaluation),
          riskChart(judged.evaluation),
        ]
      : [],
    samples: judged ? sampleCharts(judged.samples, classNames) : [],
  };
}

/** The report as one HTML file, which asks for nothing from anywhere. */
export function pageHtml(report: Report, charts: Charts): string {
  const { run } = report;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(run)} – bitspike</title>
<style>${pageCss}</style>
</head>
<body>
<header>
<h1>${escaped(run)}</h1>
<p class="soft">${escaped(layersText(report.model))}</p>
${factsHtml(headOf(report))}
</header>
<main>
${[trainingSection(charts.training), posteriorSection(charts.posterior), answersSection(report, charts), sizeSection(report), certificateSection(report)].join('\n')}
</main>
<footer>Written by bitspike ${escaped(version)}. The network that is judged and measured here is the frozen mean of the posterior.</footer>
</body>
</html>
`;
}

function headOf({ model, posterior, history, judged, onnx }: Report): Record<string, string> {
  const last = history.at(-1);
  const { validation } = last ?? {};
  return {
    ...(judged && { 'test accuracy': percent(judged.evaluation.accuracy) }),
    ...(validation?.accuracy !== undefined && { 'validation accuracy': percent(validation.accuracy) }),
    ...(validation?.rootMeanSquareError !== undefined && {
      'validation RMSE': validation.rootMeanSquareError.toPrecision(4),
    }),
    ...(last && { epochs: `${last.epoch + 1} of ${last.epochs}` }),
    weights: grouped(parameterCounts(model).weights),
    posterior: posterior.family === 'bernoulli' ? 'Bernoulli' : `Gaussian, a scale per ${posterior.scale}`,
    ...(stepsOf(model) > 1 && { 'time steps': String(stepsOf(model)) }),
    'size as .onnx': bytesText(onnx.bytes.file),
  };
}

const figure = ({ svg, title, caption, isWide, isTall }: Chart): string =>
  isWide
    ? `<figure class="wide"><div class="scroll" tabindex="0" role="region" aria-label="${escaped(title)}">${svg}</div><figcaption>${escaped(caption)}</figcaption></figure>`
    : `<figure${isTall ? ' class="tall"' : ''}>${svg}<figcaption>${escaped(caption)}</figcaption></figure>`;

const figures = (charts: readonly Chart[]): string =>
  `<div class="charts">${charts.map(figure).join('\n')}</div>`;

const trainingSection = (charts: readonly Chart[]): string =>
  `<section><h2>Training</h2>${
    charts.length > 0
      ? figures(charts)
      : '<p>No epoch of this training has ended, or its history is not there.</p>'
  }</section>`;

const posteriorSection = (charts: readonly Chart[]): string =>
  `<section><h2>Posterior</h2>${figures(charts)}</section>`;

function answersSection({ judged }: Report, { answers, samples }: Charts): string {
  if (!judged) {
    return '<section><h2>Answers</h2><p>Not judged: give labelled examples by --data for the confusion matrix, calibration, risk and spikes.</p></section>';
  }
  const { evaluation, data } = judged;
  const facts = {
    accuracy: percent(evaluation.accuracy),
    'log loss': `${evaluation.negativeLogLikelihood.toFixed(4)} nats`,
    'Brier score': evaluation.brier.toFixed(4),
    'calibration error (ECE)': evaluation.calibration.error.toFixed(4),
    'risk-coverage area': evaluation.riskCoverage.area.toPrecision(3),
    'time per example': microseconds(evaluation.secondsPerExample),
  };
  const examples =
    samples.length > 0
      ? `<h3>Examples</h3>${figures(samples)}`
      : '<p class="soft">Spikes and membranes over time are drawn of networks with time steps.</p>';
  return `<section><h2>Answers</h2><p>On ${escaped(data)}. ${countText(evaluation)}</p>${factsHtml(facts)}${figures(answers)}${examples}</section>`;
}

/** How many products a layer sums for one example: each weight once at every place that it is used. */
function sumsOf(
  report: Report,
): { layer: string; input: string; output: string; weights: number; sums: number }[] {
  const parameters = Object.entries(parametersOf(report.model));
  return placesOf(report.model).map(({ name, input, output }) => {
    const weights = parameters
      .filter(
        ([own, { role }]) =>
          role === 'weight' && own.startsWith(`${name}.`) && !own.slice(name.length + 1).includes('.'),
      )
      .reduce((sum, [, { shape }]) => sum + sizeOf(shape), 0);
    const places = sizeOf(output) / (output.at(-1) ?? 1);
    return {
      layer: name,
      input: shapeText(input),
      output: shapeText(output),
      weights,
      sums: weights * places * stepsOf(report.model),
    };
  });
}

function sizeSection(report: Report): string {
  const { bytes, operators, bitsPerWeight, standard } = report.onnx;
  const { file, ...parts } = bytes;
  const rates = new Map(report.history.at(-1)?.layers?.map(({ layer, firing }) => [layer, firing?.rate]));
  const rows = sumsOf(report).map(({ layer, input, output, weights, sums }) => [
    layer,
    input,
    output,
    weights > 0 ? grouped(weights) : '',
    sums > 0 ? grouped(sums) : '',
    rates.get(layer) === undefined ? '' : percent(rates.get(layer)!),
  ]);
  const partRows = Object.entries(parts).map(([part, size]) => [
    words(part),
    bytesText(size),
    percent(size / file),
  ]);
  const used = operators.map(({ operator, domain, uses }) => [
    `${domain && `${domain}.`}${operator}`,
    grouped(uses),
  ]);
  return `<section><h2>Size and operations</h2>
<p>${escaped(`${bytesText(file)} as .onnx, ${bitsPerWeight.file.toFixed(3)} bits a weight with all around them, ${bitsPerWeight.packed.toFixed(3)} packed. ${standard ? 'All operators are standard ONNX.' : 'Not all operators are standard ONNX.'}`)}</p>
${tableHtml('Layers, and the additions that one example takes', [['layer', 'input', 'output', 'weights', 'additions', 'spike rate'], ...rows])}
<div class="tables">${tableHtml('Bytes of the .onnx', [['part', 'size', 'of the file'], ...partRows, ['file', bytesText(file), '100.00 %']])}
${tableHtml('Operators of the graph', [['operator', 'uses'], ...used])}</div></section>`;
}

/** `realParameters` → `real parameters` */
const words = (name: string): string => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
