import { atTemperature } from '../export/index.ts';
import { UserError } from '../schemas/errors.ts';
import type { Split } from '../train/index.ts';
import { dataText, inputsFor, openData } from './data.ts';
import { freezeFigures, type Networks } from './freeze-figures.ts';
import { coolingTables, familyText, networksTable, signsTable } from './freeze-tables.ts';
import { networkText } from './network.ts';
import type { DataOptions } from './options.ts';
import { facts, grouped, say, sayJson } from './output.ts';
import { openRecalibration } from './recalibration.ts';
import { loadTrained } from './trained.ts';

export interface FreezeReportOptions extends DataOptions {
  readonly split: Split;
  readonly temperatures?: readonly number[];
  readonly count?: number;
  readonly seed?: number;
  readonly threads?: number;
  readonly json?: true;
}

/**
 * Judges the last posterior of a run on labelled examples: how it was while it was noisy, and what each way of
 * freezing makes of it. With temperatures, so for each of them.
 */
export async function reportFreezing(folder: string, options: FreezeReportOptions): Promise<void> {
  const { split, temperatures, json, count = 8, seed = 1, threads } = options;
  const trained = await loadTrained(folder);
  const { posterior } = trained;
  if (posterior.likelihood) {
    throw new UserError(
      `${folder}: answers with numbers; the freeze report judges networks that tell classes`,
    );
  }
  const data = await openData(options, split, posterior.model);
  // Says early, and with the folder's name, what does not fit.
  inputsFor(posterior.model, data, folder);
  const drawing = { count, seed, threads };
  const { family } = posterior;
  const about = { run: folder, data: data.name, examples: data.count, family, count, seed };
  say(
    facts({
      data: dataText(data),
      network: networkText(posterior.model),
      posterior: familyText(trained),
    }),
  );

  if (temperatures) {
    const rows: { temperature: number; networks: Networks }[] = [];
    for (const temperature of temperatures) {
      // The scale of Gaussian noise is then that of the posterior.
      const noise = family === 'gaussian' ? { ...trained.noise, noiseScale: 1 } : trained.noise;
      const cooled = atTemperature(posterior, temperature);
      rows.push({ temperature, networks: (await freezeFigures(cooled, data, noise, drawing)).networks });
    }
    say(`\n${coolingTables(posterior, rows, count)}`);
    if (json) {
      const dial = family === 'gaussian' ? 'noiseScale' : 'temperature';
      const named = rows.map(({ temperature, networks }) => ({ [dial]: temperature, networks }));
      sayJson({ ...about, temperatures: named });
    }
    return;
  }

  const recalibration = await openRecalibration(trained, folder, options, { draws: count, seed, threads });
  const { networks, signs } = await freezeFigures(posterior, data, trained.noise, drawing, recalibration);
  say(`\n${networksTable(posterior, networks, count)}`);
  say(`\nrecalibrated on ${grouped(recalibration.data.count)} examples of ${recalibration.data.name}`);
  say(`\n${signsTable(signs)}`);
  if (json) {
    const temperature = family === 'bernoulli' ? { temperature: posterior.temperature ?? 1 } : {};
    const { noiseScale } = trained.noise;
    const recalibrated = recalibration.data.count;
    sayJson({ ...about, ...temperature, noiseScale, recalibrated, networks, signs });
  }
}
