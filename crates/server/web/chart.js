// Numbers over time as the paths of a small SVG. Pure: samples in, texts out; knows no page and
// no colour. A sample is `{at, value}` with `at` in milliseconds; where `value` is undefined
// nothing is known, and the line has a gap there instead of a guess.

/** Room above and below, so that a line at the edge is not cut in half. */
const PAD = 2;

/** `{from, to, top, width, height}`: which times and values fill which box. */
export function scale({ from, to, top, width, height }) {
  const span = Math.max(1, to - from);
  const high = Math.max(1, top);
  const round = (n) => Number(n.toFixed(1));
  return {
    x: (at) => round(((at - from) / span) * width),
    y: (value) => round(height - PAD - (Math.min(value, high) / high) * (height - 2 * PAD)),
  };
}

/** From point to point. A single point between gaps is a dash of one unit, so that it is seen. */
export function linePath(samples, { x, y }) {
  return runs(samples)
    .map((run) => {
      const points = run.map(({ at, value }) => `${x(at)} ${y(value)}`);
      return points.length === 1 ? `M${points[0]}h1` : `M${points.join("L")}`;
    })
    .join("");
}

/** Held until the next sample: for what jumps and has nothing between two values. */
export function stepPath(samples, { x, y }) {
  return runs(samples)
    .map((run) => {
      const [first, ...rest] = run;
      const steps = rest.map(({ at, value }) => `H${x(at)}V${y(value)}`);
      return `M${x(first.at)} ${y(first.value)}${steps.join("") || "h1"}`;
    })
    .join("");
}

/** A triangle on the ground for each sample above 0. */
export function markPath(samples, { x, y }, size = 4) {
  const ground = y(0);
  return samples
    .filter(({ value }) => value > 0)
    .map(({ at }) => `M${x(at) - size} ${ground}h${2 * size}l${-size} ${-1.8 * size}z`)
    .join("");
}

export const highest = (samples) =>
  samples.reduce((top, { value }) => (value > top ? value : top), 0);

/** What is shown: all there is, five minutes at least and one hour at most. */
export function timeWindow(first, last) {
  const [least, most] = [5 * 60_000, 60 * 60_000];
  const span = Math.min(most, Math.max(least, last - first));
  return { from: last - span, to: last };
}

/** Stretches without a gap. */
function runs(samples) {
  const found = [];
  let run = [];
  for (const sample of samples) {
    if (sample.value === undefined) {
      if (run.length > 0) found.push(run);
      run = [];
    } else {
      run.push(sample);
    }
  }
  if (run.length > 0) found.push(run);
  return found;
}
