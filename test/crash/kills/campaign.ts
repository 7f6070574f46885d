/**
 * A campaign of kills (row B5 of rows.ts): stores of one node, and each sixth time of three, live one
 * after the other, each with a seed of its own: SEED + 0, 1, 2, … So a campaign can be run in pieces, and
 * one store's life can be repeated alone (its draws; processes and disks have a time of their own).
 */

import type { Check } from "../../suite.ts";
import type { Sizes } from "../../row.ts";
import { type KillCounts, noCounts } from "./counts.ts";
import { DirectoryLife } from "./directory-life.ts";

const KILLS_EACH = 25;
/** Each so manieth seed is a cluster of three. */
const CLUSTER_EVERY = 6;

/** @param tell is given a line after each store's life */
export async function killCampaign(
  sizes: Sizes,
  check: Check,
  tell: (line: string) => void = (line) => void process.stdout.write(`  ${line}\n`),
): Promise<KillCounts> {
  const counts = noCounts();
  const wanted = sizes.get("KILLS", 2_000);
  let seed = sizes.seed;
  while (counts.kills < wanted) {
    // 1 or 3 for stores of that kind alone.
    const nodes = sizes.get("NODES", seed % CLUSTER_EVERY === 0 ? 3 : 1);
    const kills = Math.min(KILLS_EACH, wanted - counts.kills);
    const accuse = (text: string): void => {
      tell(text);
      check.ok(false, text);
    };
    await new DirectoryLife({ seed, nodes, kills, counts, accuse }).run();
    seed++;
    const { acknowledged, lost, nowhere } = counts;
    const soFar = `${counts.kills} of ${wanted} kills, ${acknowledged} acknowledged`;
    tell(`${soFar}, ${lost} lost, ${nowhere} from nowhere; go on with SEED=${seed}`);
  }
  check.equal(counts.lost, 0, "acknowledged writes that were lost");
  check.equal(counts.nowhere, 0, "values from nowhere");
  check.ok(counts.acknowledged > counts.kills, `${counts.acknowledged} writes in ${wanted} kills`);
  return counts;
}
