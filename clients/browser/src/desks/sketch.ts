/**
 * What is being drawn on a picture: a rectangle between two corners, or a polygon corner by corner. No page in here.
 *
 * A pointer sets a corner where it comes up, and the first one of a rectangle where it goes down, if it is dragged. Keys
 * move a cross and set corners there. Places are percent of the picture.
 */

import { MOST_POINTS, type Place, type Polygon, type Rectangle, type Shape } from "rascanet-stream";

export const TOOLS = ["rectangle", "polygon", "region"] as const;
export type Tool = (typeof TOOLS)[number];

export interface SketchListener {
  /** A shape is whole. */
  drawn(tool: Tool, shape: Shape): void;
  /** Something is to be said to the person who draws. */
  said(words: string): void;
}

/** Places are kept to a tenth of a percent: short to read, and less than a pixel of a camera. */
const DECIMALS = 10;
/** Percent within which two places count as the same corner. */
const NEAR = 1.5;

export class Sketch {
  tool: Tool = "rectangle";
  /** Of the shape that is begun. */
  corners: Place[] = [];
  /** Where the pointer or the cross of the keyboard is. */
  at: Place = [50, 50];
  /** Where the pointer went down; null while it is up. */
  private pressedAt: Place | null = null;

  constructor(private readonly listener: SketchListener) {}

  get begun(): boolean {
    return this.corners.length > 0;
  }

  /** True of a polygon that has corners enough. */
  get canEnd(): boolean {
    return this.tool === "polygon" && this.corners.length >= 3;
  }

  /** The shape as it would be with a corner at the pointer; null without area. */
  get outline(): Shape | null {
    if (this.tool === "polygon") return this.begun ? { points: [...this.corners, this.at] } : null;
    const first = this.corners[0] ?? this.pressedAt;
    return first === null ? null : between(first, this.at);
  }

  /** Takes another tool in hand; what was begun is dropped. */
  take(tool: Tool): void {
    this.tool = tool;
    this.drop();
  }

  press(place: Place): void {
    this.at = onPicture(place);
    this.pressedAt = this.at;
  }

  move(place: Place): void {
    this.at = onPicture(place);
  }

  release(place: Place): void {
    if (this.pressedAt === null) return;
    const from = this.pressedAt;
    this.pressedAt = null;
    this.at = onPicture(place);
    const [first] = this.corners;
    if (this.canEnd && first !== undefined && near(first, this.at)) this.end();
    else {
      if (this.tool !== "polygon" && first === undefined && !near(from, this.at)) this.corners = [from];
      this.corner();
    }
  }

  /** The pointer was taken away before it came up. */
  lose(): void {
    this.pressedAt = null;
  }

  /** Sets a corner at the cross. */
  corner(): void {
    const [first] = this.corners;
    const rectangle = this.tool === "polygon" || first === undefined ? null : between(first, this.at);
    if (rectangle !== null) this.finish(rectangle);
    else if (this.tool !== "polygon" && first !== undefined) {
      this.listener.said("That has no area: the opposite corner is elsewhere.");
    } else if (this.corners.length >= MOST_POINTS) this.listener.said(`A polygon has at most ${MOST_POINTS} corners.`);
    else {
      this.corners = [...this.corners, this.at];
      const next = this.tool === "polygon" ? "" : " The opposite one is next.";
      this.listener.said(`Corner ${this.corners.length} at ${placeWords(this.at)}.${next}`);
    }
  }

  /** Ends a polygon; a rectangle ends at its second corner. */
  end(): void {
    if (this.tool !== "polygon") this.corner();
    else if (this.canEnd) this.finish({ points: this.corners });
    else this.listener.said("A polygon has three corners or more.");
  }

  /** A double click ends a polygon at the corner that its first click set. */
  endTwice(): void {
    if (this.tool !== "polygon") return;
    this.back();
    if (this.canEnd) this.end();
  }

  /** Takes the last corner back. */
  back(): void {
    this.corners = this.corners.slice(0, -1);
  }

  /** Drops what is begun. */
  drop(): void {
    this.corners = [];
    this.pressedAt = null;
  }

  private finish(shape: Shape): void {
    this.drop();
    this.listener.drawn(this.tool, shape);
  }
}

/** A shape in words, as a list says it. */
export function shapeWords(shape: Shape): string {
  return "points" in shape ? polygonWords(shape) : rectangleWords(shape);
}

function rectangleWords({ x, y, width, height }: Rectangle): string {
  return `${width} × ${height} % at ${placeWords([x, y])}`;
}

function polygonWords({ points }: Polygon): string {
  return `${points.length} corners, the first at ${placeWords(points[0] as Place)}`;
}

function placeWords([x, y]: Place): string {
  return `${x}, ${y}`;
}

/** The rectangle with two opposite corners; null without area. */
function between([x0, y0]: Place, [x1, y1]: Place): Rectangle | null {
  const [width, height] = [rounded(Math.abs(x1 - x0)), rounded(Math.abs(y1 - y0))];
  return width > 0 && height > 0 ? { x: Math.min(x0, x1), y: Math.min(y0, y1), width, height } : null;
}

function near([x0, y0]: Place, [x1, y1]: Place): boolean {
  return Math.hypot(x1 - x0, y1 - y0) < NEAR;
}

function onPicture([x, y]: Place): Place {
  return [rounded(Math.min(100, Math.max(0, x))), rounded(Math.min(100, Math.max(0, y)))];
}

function rounded(percent: number): number {
  return Math.round(percent * DECIMALS) / DECIMALS;
}
