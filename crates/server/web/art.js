// A picture for a product that has none: one quiet composition, the same for the same sku
// on every device. Shape and hue come from the sku; light and dark come from the style
// sheet, which reads the hue from custom properties.

import { h } from "./dom.js";

/** FNV-1a, then a small generator; enough to tell skus apart and the same everywhere. */
function generator(text) {
  let state = 0x811c9dc5;
  for (const char of text) state = Math.imul(state ^ char.codePointAt(0), 0x01000193);
  return () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d);
    state = Math.imul(state ^ (state >>> 12), 0x297a2d39);
    state ^= state >>> 15;
    return (state >>> 0) / 2 ** 32;
  };
}

const around = (radius, angle) => [
  200 + radius * Math.cos(angle),
  150 + radius * Math.sin(angle),
];
const point = ([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`;

const SHAPES = [
  function rings(random) {
    const turn = random() * Math.PI;
    return [104, 80, 56, 32].map((radius, n) => {
      const from = turn + n * (0.7 + random());
      const to = from + Math.PI * (1.1 + random() * 0.6);
      return h("path", {
        class: `art-line tone-${n % 3}`,
        d: `M${point(around(radius, from))} A${radius} ${radius} 0 1 1 ${point(around(radius, to))}`,
      });
    });
  },
  function petals(random) {
    const many = 5 + Math.floor(random() * 4);
    const turn = random() * 360;
    return [
      ...Array.from({ length: many }, (_, n) =>
        h("ellipse", {
          class: `art-glass tone-${n % 3}`,
          cx: 200, cy: 98, rx: 30, ry: 56,
          transform: `rotate(${(turn + (n * 360) / many).toFixed(1)} 200 150)`,
        })),
      h("circle", { class: "art-fill tone-0", cx: 200, cy: 150, r: 16 }),
    ];
  },
  function hills(random) {
    const layers = [0, 1, 2].map((n) => {
      const y = 150 + n * 44 - random() * 20;
      const bend = 60 + random() * 70;
      return h("path", {
        class: `art-glass tone-${n}`,
        d: `M-10 ${y} C 90 ${y - bend}, 180 ${y + bend * 0.6}, 410 ${y - bend * random()} V 310 H -10 Z`,
      });
    });
    const sun = h("circle", {
      class: "art-fill tone-1", cx: 90 + random() * 220, cy: 82 + random() * 24, r: 32,
    });
    return [sun, ...layers];
  },
  function arches(random) {
    const lean = (random() - 0.5) * 70;
    return [116, 88, 60, 32].map((radius, n) =>
      h("path", {
        class: `art-fill tone-${n % 3}`,
        d: `M${(200 - radius + (lean * n) / 4).toFixed(1)} 310 v${-184 + n * 24} a${radius} ${radius} 0 0 1 ${radius * 2} 0 V310 Z`,
      }));
  },
  function orbit(random) {
    const moons = Array.from({ length: 3 }, (_, n) => {
      const [cx, cy] = around(46 + n * 32, random() * Math.PI * 2);
      return h("circle", { class: `art-fill tone-${(n + 1) % 3}`, cx, cy, r: 8 + random() * 8 });
    });
    const tracks = [46, 78, 110].map((r) =>
      h("circle", { class: "art-hair", cx: 200, cy: 150, r }));
    return [...tracks, h("circle", { class: "art-fill tone-0", cx: 200, cy: 150, r: 22 }), ...moons];
  },
];

export function art(sku) {
  const random = generator(sku);
  for (let n = 0; n < 4; n += 1) random();
  const hue = Math.floor(random() * 360);
  const shapes = SHAPES[Math.floor(random() * SHAPES.length)](random);
  const svg = h(
    "svg",
    { class: "art", viewBox: "0 0 400 300", preserveAspectRatio: "xMidYMid slice", "aria-hidden": "true" },
    h("rect", { class: "art-ground", x: -10, y: -10, width: 420, height: 320 }),
    ...shapes,
  );
  // Set through the object model: the content security policy forbids style attributes.
  svg.style.setProperty("--hue", hue);
  svg.style.setProperty("--turn", 28 + Math.floor(random() * 40));
  return svg;
}
