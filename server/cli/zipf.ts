/**
 * Numbers from 0 to n-1 of which the first are drawn most: the chance of the i-th goes as 1/(i+1)^0.99, as in YCSB.
 *
 * The sum of all chances is made once; a number then costs one power. Names go to the ring by their hashes, so the
 * numbers drawn most lie apart anyway.
 *
 * Source: Gray et al., "Quickly Generating Billion-Record Synthetic Databases", SIGMOD 1994.
 */

const THETA = 0.99;

/** @param count from 1 @returns for a number from 0 to below 1 a number from 0 to below `count` */
export function zipf(count: number): (share: number) => number {
  const sum = zeta(count);
  const two = 1 + 0.5 ** THETA;
  const alpha = 1 / (1 - THETA);
  const eta = count <= 2 ? 0 : (1 - (2 / count) ** (1 - THETA)) / (1 - two / sum);
  return (share) => {
    const scaled = share * sum;
    if (scaled < 1 || count === 1) return 0;
    if (scaled < two || count === 2) return 1;
    return Math.min(count - 1, Math.floor(count * (eta * share - eta + 1) ** alpha));
  };
}

function zeta(count: number): number {
  let sum = 0;
  for (let index = 1; index <= count; index++) sum += 1 / index ** THETA;
  return sum;
}
