import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseHTML } from 'linkedom';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { confusionOf } from '../cli/report/confusion.ts';
import { svgFile } from '../cli/report/frame.ts';
import { gatherReport, type Report } from '../cli/report/gather.ts';
import { escaped, tableHtml } from '../cli/report/html.ts';
import { chartsOf, pageHtml } from '../cli/report/page.ts';
import { coloursCss } from '../cli/report/style.ts';
import { tracesOf } from '../cli/report/traces.ts';
import { runProgram } from '../cli/program.ts';
import { certify, freeze, runOracle, toOnnx } from '../export/index.ts';
import { presentDevices } from '../runtime/index.ts';
import type { Certificate } from '../schemas/certificate.ts';
import { loadPosterior } from '../schemas/checkpoint/index.ts';
import { defineModel, dense, flatten, lif, readout } from '../schemas/index.ts';
import { idx, trainInFolder } from '../train/index.ts';
import { encodedDataset } from '../train/data/index.ts';
import { writeImages } from './support/cli.ts';
import { lineOf } from './support/error-line.ts';
import { freshFolder } from './support/folder.ts';

const folder = freshFolder();
const evil = '<script>alert("1")</script>';

let kept: string;
let report: Report;
let certificate: Certificate;
let html: string;

/** A spiking network on small images, whose classes have names that nobody should trust. */
const model = defineModel({
  input: [8, 8],
  encoder: { kind: 'rate', steps: 6 },
  layers: [flatten(), dense({ units: 12 }), lif(), dense({ units: 10 }), readout()],
});

beforeAll(async () => {
  kept = join(process.cwd(), 'node_modules', '.cache', `report-${process.pid}`);
  writeImages(join(kept, 'images'), { train: 120, t10k: 60 });
  const data = await idx(join(kept, 'images'), 'train');
  const classNames = data.classNames.map((name, index) => (index === 3 ? evil : name));
  await trainInFolder(
    join(kept, 'run'),
    model,
    { ...data, classNames },
    {
      epochs: 3,
      batchSize: 20,
      validation: 0.2,
      threads: 1,
      monitor: true,
    },
  );
  const bytes = toOnnx(freeze(await loadPosterior(join(kept, 'run'))));
  certificate = await certify(bytes, { devices: await presentDevices(['bits']), file: evil, inputs: 20 });
  writeFileSync(join(kept, 'run', 'model.certificate.json'), JSON.stringify(certificate));
  report = await gatherReport(join(kept, 'run'), {
    data: `idx:${join(kept, 'images')}`,
    split: 'test',
    samples: [0, 3],
  });
  html = pageHtml(report, chartsOf(report));
  return () => rmSync(kept, { recursive: true });
});

describe('a report', () => {
  test('holds every section, and every chart has words', () => {
    const { document } = parseHTML(html);
    const heads = [...document.querySelectorAll('h2')].map((head) => head.textContent);
    expect(heads).toEqual(['Training', 'Posterior', 'Answers', 'Size and operations', 'Certificate']);
    const charts = [...document.querySelectorAll('figure')];
    // Five of the training, the signs, three of the answers, two of each sample.
    expect(charts).toHaveLength(5 + 1 + 3 + 4);
    for (const chart of charts) {
      const [drawing, ...others] = chart.querySelectorAll('svg[role=img]');
      expect(others).toEqual([]);
      expect(drawing!.getAttribute('aria-label')!.length).toBeGreaterThan(20);
      expect(chart.querySelector('figcaption')!.textContent!.length).toBeGreaterThan(20);
      expect(drawing!.querySelectorAll('path, rect, line, circle').length).toBeGreaterThan(2);
    }
  });

  test('asks for nothing from anywhere', () => {
    expect(html).not.toMatch(/<(script|link|img|iframe|object|embed)\b|\b(href|src)=|url\(|@import/i);
    const addresses = new Set(html.match(/https?:[^"' )<]*/g));
    expect([...addresses].filter((address) => !address.startsWith('http://www.w3.org/'))).toEqual([]);
    expect(html).toContain("default-src 'none'");
    expect(html).toContain('prefers-color-scheme:dark');
  });

  test('takes nothing from a file for markup', () => {
    expect(report.classNames[3]).toBe(evil);
    expect(html).not.toContain('<script');
    expect(html).toContain(escaped(evil));
    for (const chart of Object.values(chartsOf(report)).flat())
      expect(svgFile(chart)).not.toContain('<script');
    expect(escaped(`<a b="c" d='e'>&`)).toBe('&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;');
    expect(tableHtml(evil, [[evil], [evil]])).not.toContain('<script');
  });

  test('has the figures of the network that is judged', () => {
    const { confusion, evaluation } = report.judged!;
    const total = confusion.flat().reduce((sum, count) => sum + count, 0);
    const right = confusion.reduce((sum, row, index) => sum + row[index]!, 0);
    expect(total).toBe(60);
    expect(right / total).toBeCloseTo(evaluation.accuracy, 12);
    expect(html).toContain(`<dd>${(100 * evaluation.accuracy).toFixed(2)} %</dd>`);
    expect(html).toContain(`ECE ${evaluation.calibration.error.toFixed(4)}`);
    expect(report.history).toHaveLength(3);
    for (const { parts } of report.signs) {
      expect(parts).toHaveLength(20);
      expect(parts.reduce((sum, part) => sum + part, 0)).toBeCloseTo(1, 9);
    }
    // 64 inputs × 12 units and 12 × 10, at each of six steps.
    expect(html).toContain('<td class="number">4,608</td>');
    expect(html).toContain('<td class="number">720</td>');
  });

  test('without examples it tells of the training alone', async () => {
    const alone = await gatherReport(join(kept, 'run'), { split: 'test', samples: [] });
    const page = pageHtml(alone, chartsOf(alone));
    expect(page).toContain('Not judged: give labelled examples by --data');
    expect(page).toContain('>Loss, nats</text>');
  });

  test('a sample that is not there is named', async () => {
    const options = { data: `idx:${join(kept, 'images')}`, split: 'test', samples: [60] } as const;
    expect(await lineOf(() => gatherReport(join(kept, 'run'), options))).toMatch(
      /report: there is no example 60 of .*; --samples are numbers from 0 to 59/,
    );
    const missing = { split: 'test', samples: [], certificate: join(kept, 'no.json') } as const;
    expect(await lineOf(() => gatherReport(join(kept, 'run'), missing))).toContain(
      'the certificate is not there',
    );
  });
});

/** The report with this in place of its certificate. */
const pageWith = (content: Certificate): string =>
  pageHtml({ ...report, certificate: { file: 'some.certificate.json', content } }, chartsOf(report))
    .split('<h2>Certificate</h2>')[1]!
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ');

describe('a certificate', () => {
  test('says first whether the file is the same everywhere, then what was compared', () => {
    const said = pageWith(certificate);
    expect(said).toMatch(/^ ✓ The file fires the same spikes on bits for all 20 inputs\. From some/);
    expect(said).toContain('It is of the network of this page.');
    // 12 neurons at six steps, for 20 inputs.
    expect(said).toContain('activations compared 1,440 ');
    expect(said).toMatch(/2\.lif 1,440 [\d,]+ \d+\.\d\d % every bit fixed/);
    expect(said).toMatch(/bits identical 0 0 .* WebAssembly/);
  });

  test('names the device that is wrong, and the network that the file is not', () => {
    const [device] = certificate.devices as [Certificate['devices'][0]];
    const wrong = {
      ...device,
      name: 'cpu',
      verdict: 'different',
      differingSpikes: { '2.lif': 1234 },
    } as const;
    const other = { ...certificate, model: { ...certificate.model, sha256: '0'.repeat(64) } };
    const said = pageWith({ ...other, devices: [device, wrong] });
    expect(said).toMatch(/^ ✗ The file answers differently on cpu\. /);
    expect(said).toContain('cpu different 1,234 0');
    expect(said).toContain('It is of another file than the network of this page');
    const oracle = { differingSpikes: { '2.lif': 3 }, largestDifference: 0.5 };
    expect(pageWith({ ...certificate, oracle })).toMatch(
      /^ ✗ .*is not what its network is\. .*file 3 spikes differ/,
    );
  });

  test('tells of devices that do not open the file, or differ by rounding', () => {
    const [device] = certificate.devices as [Certificate['devices'][0]];
    const refused = { ...device, name: 'webgpu', verdict: 'refused', why: 'no GPU' } as const;
    const close = { ...device, name: 'wasm', verdict: 'close' } as const;
    const said = pageWith({ ...certificate, devices: [device, close, refused] });
    expect(said).toMatch(
      /^ ✓ .* on bits and wasm .*; on wasm but for rounding.*; webgpu does not open it\. /,
    );
    expect(said).toContain('webgpu refused – – – no GPU');
    expect(pageWith({ ...certificate, devices: [refused] })).toMatch(/^ ✗ No device opens the file\. /);
  });

  test('lies in the folder, or beside it if it is of this network', async () => {
    const [inside, beside] = [join(kept, 'run', 'model.certificate.json'), join(kept, 'a.certificate.json')];
    const found = async () =>
      (await gatherReport(join(kept, 'run'), { split: 'test', samples: [] })).certificate;
    expect((await found())?.file).toBe(inside);
    renameSync(inside, beside);
    expect((await found())?.content).toEqual(certificate);
    const other = { ...certificate, model: { ...certificate.model, sha256: '0'.repeat(64) } };
    writeFileSync(beside, JSON.stringify(other));
    expect(await found()).toBeUndefined();
    renameSync(beside, inside);
    writeFileSync(inside, '{}');
    await expect(found()).rejects.toThrow(/model\.certificate\.json: /);
    writeFileSync(inside, JSON.stringify(certificate));
  });
});

test('traces are the spikes of the reference, and membranes fire where they are above 0', async () => {
  const network = freeze(await loadPosterior(join(kept, 'run')));
  const images = encodedDataset(await idx(join(kept, 'images'), 'test'), model.encoder!);
  const inputs = Float32Array.from(images.inputs, (value) => value * images.scale);
  const [first, second] = tracesOf(
    network,
    inputs,
    images,
    [4, 9],
    Array.from({ length: 60 }, () => 0),
  );
  expect(first).toMatchObject({ sample: 4, label: 4, predicted: 0, steps: 6 });
  for (const { sample, layers } of [first!, second!]) {
    const one = inputs.subarray(sample * 6 * 64, (sample + 1) * 6 * 64);
    const oracle = runOracle(network, network.members[0]!, one).layers;
    expect(layers.map(({ layer }) => layer)).toEqual(['2.lif']);
    const [{ spikes, units, membranes }] = layers as [(typeof layers)[0]];
    expect(units).toBe(12);
    const fired = new Float64Array(6 * 12);
    for (const { time, unit } of spikes) fired[time * 12 + unit] = 1;
    expect(fired).toEqual(oracle['2.lif']);
    for (const { unit, values } of membranes)
      expect(values.map((value) => (value > 0 ? 1 : 0))).toEqual(
        values.map((_, time) => fired[time * 12 + unit]),
      );
  }
});

test('a confusion matrix counts classes in rows and answers in columns', () => {
  expect(confusionOf([0, 0, 1, 2, 2], [0, 1, 1, 0, 2], 3)).toEqual([
    [1, 1, 0],
    [0, 1, 0],
    [1, 0, 1],
  ]);
});

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** The contrast of two colours `#rrggbb` (WCAG 2.2). */
function contrast(a: string, b: string): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

test('text and lines stand out from their ground, by day and by night', () => {
  const themes = coloursCss.split('@media');
  expect(themes).toHaveLength(2);
  for (const theme of themes) {
    const colour = (name: string): string => new RegExp(`--${name}:(#[0-9a-f]{6})`).exec(theme)![1]!;
    for (const ground of ['ground', 'panel']) {
      expect(contrast(colour('ink'), colour(ground))).toBeGreaterThan(7);
      expect(contrast(colour('soft'), colour(ground))).toBeGreaterThan(4.5);
    }
    for (let index = 1; index <= 6; index++)
      expect(contrast(colour(`series-${index}`), colour('ground'))).toBeGreaterThan(4.5);
  }
});

test('the command writes page and charts, and tells of them', async () => {
  const lines: string[] = [];
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    lines.push(String(text));
    return true;
  });
  const out = folder.path('report.html');
  const svg = folder.path('charts');
  const data = ['--data', `idx:${join(kept, 'images')}`, '--samples', '1'];
  const code = await runProgram(['report', join(kept, 'run'), '--out', out, '--svg', svg, ...data, '--json']);
  write.mockRestore();
  expect(code).toBe(0);
  const said = JSON.parse(lines.at(-1)!) as {
    charts: string[];
    history: unknown[];
    answers: { accuracy: number };
    certificate: object;
  };
  expect(said.history).toHaveLength(3);
  expect(said.certificate).toEqual({
    file: join(kept, 'run', 'model.certificate.json'),
    network: certificate.model.sha256,
    devices: { bits: 'identical' },
  });
  expect(said.answers.accuracy).toBe(report.judged!.evaluation.accuracy);
  expect(readdirSync(svg).sort()).toEqual(
    [
      'accuracy',
      'confusion',
      'distances',
      'gradients',
      'loss',
      'membranes-1',
      'raster-1',
      'reliability',
      'risk-coverage',
      'signs',
      'spike-rates',
    ].map((name) => `${name}.svg`),
  );
  expect(readFileSync(out, 'utf8')).toMatch(/^<!doctype html>[\s\S]*<\/html>\n$/);
  for (const file of said.charts)
    expect(readFileSync(file, 'utf8')).toMatch(/^<svg [\s\S]*<style>[\s\S]*<\/svg>\n$/);
});
