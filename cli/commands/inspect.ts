import { type Command, InvalidArgumentError } from 'commander';
import {
  energy45nm,
  type EnergyTable,
  type OnnxReport,
  type PortReport,
  reportOnnx,
} from '../../export/index.ts';
import { readModelFile } from '../../runtime/load.ts';
import { engineMemoryOf, engineText } from '../inspect-engine.ts';
import { type OperationOptions, operationsOf, operationsText } from '../inspect-operations.ts';
import { stepsOf } from '../../schemas/model.ts';
import { addJson, count, number } from '../options.ts';
import { bytesText, facts, grouped, percent, say, sayJson, shapeText, table } from '../output.ts';

/** What `--energy` can change. */
const costs = Object.keys(energy45nm) as (keyof EnergyTable)[];

/** `integerAdd=0.03,floatAdd=0.4` */
function energyTable(text: string): Partial<EnergyTable> {
  return Object.fromEntries(
    text.split(',').map((part) => {
      const [name, value = ''] = part.split('=');
      const picojoules = number(value);
      if (!costs.includes(name as keyof EnergyTable) || picojoules < 0) {
        throw new InvalidArgumentError(
          `Expected picojoules such as ${costs.map((cost) => `${cost}=1`).join(',')}.`,
        );
      }
      return [name, picojoules];
    }),
  );
}

export function define(command: Command): void {
  command
    .argument('<file>', 'An .onnx that bitspike exported')
    .option('--data <kind>', 'Count spikes on labelled examples, named as for eval')
    .option('--limit <examples>', 'For --data: count on so many; 100 unless given', count)
    .option(
      '--energy <list>',
      'Picojoules of operations, as integerAdd=0.1,floatAdd=0.9,floatMultiply=3.7',
      energyTable,
    );
  addJson(command).action(run);
}

async function run(file: string, options: OperationOptions & { readonly json?: true }): Promise<void> {
  const bytes = await readModelFile(file);
  const report = reportOnnx(bytes, file);
  const operations = await operationsOf(file, report, options);
  const bits = await engineMemoryOf({ bytes, file, steps: stepsOf(report.model) }, report);
  say(facts(headOf(report)));
  say();
  say(table(layerRows(report)));
  say();
  say(table(byteRows(report)));
  say();
  say(operationsText(operations));
  say(engineText(bits));
  say();
  say(operatorsText(report));
  if (options.json) sayJson({ file, ...report, ...operations, bits });
}

const portText = ({ name, type, dims }: PortReport): string => `${name} ${type} [${dims.join(', ')}]`;

function headOf({ producer, opset, irVersion, inputs, outputs, weights, ...report }: OnnxReport) {
  const { members, binaryWeights, realWeights, bitsPerWeight } = report;
  const { weights: way, ...others } = weights;
  const details = Object.entries(others).map(([name, value]) => `, ${name} ${String(value)}`);
  return {
    input: inputs.map(portText).join(', '),
    outputs: outputs.map(portText).join(', '),
    format: `opset ${opset}, IR ${irVersion}, by ${producer}`,
    weights: `${String(way)}${details.join('')} (${members === 1 ? 'one network' : `${members} networks`})`,
    'binary weights': grouped(binaryWeights),
    ...(realWeights > 0 && { 'real weights': grouped(realWeights) }),
    'bits per weight': `${bitsPerWeight.packed.toFixed(3)} packed, ${bitsPerWeight.file.toFixed(3)} with the whole file`,
  };
}

const layerRows = ({ layers }: OnnxReport): string[][] => [
  ['layer', 'input', 'output', 'weights'],
  ...layers.map(({ name, input, output, binaryWeights, realWeights }) => [
    name,
    shapeText(input),
    shapeText(output),
    [binaryWeights && `${grouped(binaryWeights)} binary`, realWeights && `${grouped(realWeights)} real`]
      .filter(Boolean)
      .join(', '),
  ]),
];

const partNames: Readonly<Record<Exclude<keyof OnnxReport['bytes'], 'file'>, string>> = {
  packedWeights: 'binary weights, packed',
  realWeights: 'real weights',
  thresholds: 'thresholds',
  tables: 'tables that unpack',
  realParameters: 'gains and biases',
  graph: 'graph and metadata',
};

function byteRows({ bytes: { file, ...parts } }: OnnxReport): string[][] {
  const row = (name: string, size: number): string[] => [name, bytesText(size), percent(size / file)];
  return [
    ['part', 'size', 'of the file'],
    ...Object.entries(partNames).map(([part, name]) => row(name, parts[part as keyof typeof parts])),
    row('file', file),
  ];
}

function operatorsText({ operators, standard }: OnnxReport): string {
  const list = operators.map(
    ({ operator, domain, uses }) => `${domain && `${domain}.`}${operator}${uses > 1 ? ` × ${uses}` : ''}`,
  );
  return `operators: ${list.join(', ')}\n${standard ? 'all of them' : 'NOT all of them'} are standard ONNX`;
}
