/** Areas of a picture as paths of an SVG that is 100 wide and high. */

import type { Place, Shape } from "rascanet-stream";

export function areaPath(shape: Shape): string {
  if ("points" in shape) return `M${shape.points.map(([x, y]) => `${x} ${y}`).join("L")}Z`;
  const { x, y, width, height } = shape;
  return `M${x} ${y}h${width}v${height}h${-width}Z`;
}

/** A line without length, which its round ends make a dot, however the picture is stretched. */
export function cornerPath([x, y]: Place): string {
  return `M${x} ${y}h0`;
}

export function crossPath([x, y]: Place): string {
  return `M${x} 0V100M0 ${y}H100`;
}
