/**
 * Rounds: every series runs once in each round, in turn (A B C, A B C, …), so that whatever drifts
 * on the machine drifts for all of them. What is compared in the end are medians over the rounds.
 *
 * Before the first round every series runs for a while unmeasured: a store is up for months, and three
 * processes on two busy cores take ten seconds until their runtime has compiled what is hot.
 */

import { processorSeconds, type Contestant } from "./contestant.ts";
import type { Exchange } from "./load/exchange.ts";
import { type LoadResult, runLoad } from "./load/generator.ts";
import { Histogram } from "../server/cli/histogram.ts";
import { medianOf } from "./median.ts";

export interface RoundSettings {
  readonly rounds: number;
  /** How long each series runs before the first round. */
  readonly preheatMs: number;
  readonly warmUpMs: number;
  readonly measuredMs: number;
  readonly keys: number;
}

/** One workload on one contestant. */
export interface Series {
  readonly label: string;
  readonly contestant: Contestant;
  readonly connections: number;
  /** 0: gets, 1: puts. */
  readonly putShare: number;
  /** Where it differs from the contestant's own. */
  readonly exchange?: Exchange;
}

export interface SeriesResult {
  readonly label: string;
  /** Wanted answers a second, one figure a round, in their order. */
  readonly perSecond: readonly number[];
  readonly median: number;
  /** Of all rounds together. */
  readonly latency: Histogram;
  readonly failed: number;
  readonly complaint: string;
  /** Cores that the generator and the system took, medians over the rounds. */
  readonly generatorCpu: number;
  readonly systemCpu: number;
}

/** Runs all series in turn. */
export async function runRounds(
  series: readonly Series[],
  settings: RoundSettings,
): Promise<SeriesResult[]> {
  const runs = new Map<Series, { load: LoadResult; systemCpu: number }[]>();
  const preheat = { ...settings, measuredMs: settings.preheatMs };
  if (settings.preheatMs > 0) for (const one of series) await runOnce(one, preheat);
  for (let round = 0; round < settings.rounds; round++) {
    for (const one of series) {
      runs.set(one, [...(runs.get(one) ?? []), await runOnce(one, settings)]);
    }
  }
  return series.map((one) => summary(one.label, runs.get(one) ?? []));
}

async function runOnce(series: Series, settings: RoundSettings) {
  const { contestant, connections, putShare } = series;
  const { warmUpMs, measuredMs, keys } = settings;
  const secondsBefore = processorSeconds(contestant.children);
  const load = await runLoad({
    ports: contestant.ports,
    connections,
    exchange: series.exchange ?? contestant.exchange,
    keys,
    putShare,
    warmUpMs,
    measuredMs,
    rate: 0,
  });
  const seconds = processorSeconds(contestant.children) - secondsBefore;
  return { load, systemCpu: (seconds * 1000) / (warmUpMs + measuredMs) };
}

function summary(
  label: string,
  runs: readonly { load: LoadResult; systemCpu: number }[],
): SeriesResult {
  const latency = new Histogram();
  for (const run of runs) latency.add(run.load.latency);
  const perSecond = runs.map((run) => run.load.perSecond);
  return {
    label,
    perSecond,
    median: medianOf(perSecond),
    latency,
    failed: runs.reduce((sum, run) => sum + run.load.failed, 0),
    complaint: runs.find((run) => run.load.complaint !== "")?.load.complaint ?? "",
    generatorCpu: medianOf(runs.map((run) => run.load.generatorCpu)),
    systemCpu: medianOf(runs.map((run) => run.systemCpu)),
  };
}
