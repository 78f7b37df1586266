import type { Place, Shape } from "rascanet-stream";
import { beforeEach, describe, expect, it } from "vitest";
import { Sketch, shapeWords, type Tool } from "../../src/desks/sketch";

let drawn: { tool: Tool; shape: Shape }[];
let said: string[];
let sketch: Sketch;

beforeEach(() => {
  drawn = [];
  said = [];
  sketch = new Sketch({ drawn: (tool, shape) => drawn.push({ tool, shape }), said: (words) => said.push(words) });
});

function drag(from: Place, to: Place): void {
  sketch.press(from);
  sketch.move([(from[0] + to[0]) / 2, (from[1] + to[1]) / 2]);
  sketch.move(to);
  sketch.release(to);
}

function click(...places: Place[]): void {
  for (const place of places) {
    sketch.press(place);
    sketch.release(place);
  }
}

describe("a rectangle", () => {
  const shape = { x: 10, y: 20, width: 50, height: 30.5 };

  it.each([
    ["dragged", () => drag([60, 20], [10, 50.49])],
    ["clicked at two corners", () => click([10, 50.5], [60, 20])],
    [
      "set by keys",
      () => {
        sketch.move([60, 50.5]);
        sketch.corner();
        sketch.move([10, 20]);
        sketch.end();
      },
    ],
  ])("is %s, from any corner, to a tenth of a percent", (_, draw) => {
    draw();
    expect(drawn).toEqual([{ tool: "rectangle", shape }]);
    expect(sketch.begun).toBe(false);
    expect(shapeWords(shape)).toBe("50 × 30.5 % at 10, 20");
  });

  it("stays on the picture", () => {
    drag([-20, 50], [140, 180]);
    expect(drawn[0]?.shape).toEqual({ x: 0, y: 50, width: 100, height: 50 });
  });

  it("has an area", () => {
    sketch.move([30, 30]);
    sketch.corner();
    sketch.move([80, 30]);
    sketch.corner();
    expect(drawn).toEqual([]);
    expect(said.at(-1)).toContain("no area");
    sketch.move([80, 40]);
    sketch.corner();
    expect(drawn).toHaveLength(1);
  });

  it("is shown while it is dragged, and forgotten when the pointer is lost", () => {
    sketch.press([10, 10]);
    sketch.move([20, 30]);
    expect(sketch.outline).toEqual({ x: 10, y: 10, width: 10, height: 20 });
    sketch.lose();
    expect(sketch.outline).toBeNull();
    sketch.release([20, 30]);
    expect(drawn).toEqual([]);
  });

  it("may be the region", () => {
    sketch.take("region");
    drag([0, 0], [50, 100]);
    expect(drawn).toEqual([{ tool: "region", shape: { x: 0, y: 0, width: 50, height: 100 } }]);
  });
});

describe("a polygon", () => {
  const points: Place[] = [
    [10, 10],
    [90, 10],
    [50, 80],
  ];

  beforeEach(() => sketch.take("polygon"));

  it.each([
    ["Enter", () => sketch.end()],
    [
      "a double click, whose second click is no corner",
      () => {
        click([50.2, 80]);
        sketch.endTwice();
      },
    ],
    ["a click on its first corner", () => click([10.5, 10])],
  ])("ends with %s", (_, end) => {
    click(...points);
    expect(sketch.canEnd).toBe(true);
    end();
    expect(drawn).toEqual([{ tool: "polygon", shape: { points } }]);
    expect(shapeWords({ points })).toBe("3 corners, the first at 10, 10");
  });

  it("has three corners or more", () => {
    click(...points.slice(0, 2));
    sketch.end();
    expect(drawn).toEqual([]);
    expect(said.at(-1)).toContain("three corners");
    sketch.endTwice();
    expect(sketch.corners).toHaveLength(1);
  });

  it("keeps corners that keys set side by side", () => {
    for (const place of [
      [10, 10],
      [11, 10],
      [11, 11],
      [10, 11],
    ] as Place[]) {
      sketch.move(place);
      sketch.corner();
    }
    sketch.end();
    expect(drawn[0]?.shape).toEqual({
      points: [
        [10, 10],
        [11, 10],
        [11, 11],
        [10, 11],
      ],
    });
  });

  it("takes a corner back, and all of them with another tool", () => {
    click(...points);
    sketch.back();
    expect(sketch.corners).toEqual(points.slice(0, 2));
    sketch.move([70, 70]);
    expect(sketch.outline).toEqual({ points: [...points.slice(0, 2), [70, 70]] });
    sketch.take("rectangle");
    expect(sketch.begun).toBe(false);
    expect(sketch.outline).toBeNull();
  });
});
