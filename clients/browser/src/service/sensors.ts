/** Line times of real sensors at the network's size; `facts` is written by tests/vectors/make_facts.py. */

import { facts } from "rascanet-stream";

export interface SensorTiming {
  name: string;
  label: string;
  /** Time of one of the network's rows, binning included. */
  lineTimeUs: number;
  binning: number;
}

/** The sensors with enough pixels; rows are binned as far as they fit (sensor_sim/profiles.py). */
export function sensorsFor(height: number, width: number): SensorTiming[] {
  return facts.sensors.flatMap((sensor) => {
    const binning = Math.min(Math.floor(sensor.width / width), Math.floor(sensor.height / height));
    if (binning < 1) return [];
    return [{ name: sensor.name, label: sensor.label, lineTimeUs: binning * sensor.line_time_us, binning }];
  });
}

/** Multiply-accumulates of one burst, in floats or in integers; null for a network of an unknown size. */
export function macsPerBurst(variant: string): number | null {
  const known: Record<string, number> = facts.macs_per_burst;
  return known[variant.replace(/_int8$/, "")] ?? null;
}
