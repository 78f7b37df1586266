/** Everything that can be set, as one value, and as the query of an address that can be shared. */

import { type Policy, parseMasks, parseRegion, type Window } from "rascanet-stream";
import type { EngineName } from "./offer";
import { contradiction } from "./policies";
import type { PolicyKind } from "./service";

export const MODES = ["scan", "live", "wall"] as const;
export type Mode = (typeof MODES)[number];

/** The sensor's time passes so many times slower here. */
export const SLOWNESS = [1, 10, 30, 100, 300, 1000] as const;
export const MAX_TILES = 64;
export const MAX_MASKS = 16;
export const LINE_TIME_RANGE_US = [5, 5_000] as const;
export const CUSTOM_SENSOR = "custom";

export interface Settings {
  mode: Mode;
  engine: EngineName;
  variant: string;
  policy: string;
  parameters: Record<string, number>;
  /** A second policy beside the first; empty for none. */
  compare: string;
  compareParameters: Record<string, number>;
  sensor: string;
  lineTimeUs: number;
  slow: number;
  /** A sample's name; empty for a picture of one's own. */
  sample: string;
  tiles: number;
  /** Private areas, rectangles and polygons in percent; empty for none. */
  masks: string;
  /** The region that is shown, a rectangle in percent; empty for the whole picture. */
  region: string;
}

/** What the service and the sensors leave to choose from. */
export interface Choices {
  /** Those that can be chosen, the default first. */
  engines: readonly EngineName[];
  variants: string[];
  policies: PolicyKind[];
  /** Of `policies`, the one that the service takes where none is named. */
  defaultPolicy: string;
  sensors: { name: string; lineTimeUs: number }[];
}

export function defaultSettings({ engines, variants, policies, defaultPolicy, sensors }: Choices): Settings {
  const policy = policies.find(({ name }) => name === defaultPolicy) ??
    policies[0] ?? { name: "published", parameters: {} };
  const sensor = sensors.find(({ name }) => name === "hm01b0-qvga") ?? sensors[0];
  return {
    mode: "scan",
    engine: engines[0] ?? "service",
    variant: variants[0] ?? "",
    policy: policy.name,
    parameters: { ...policy.parameters },
    compare: "",
    compareParameters: {},
    sensor: sensor?.name ?? CUSTOM_SENSOR,
    lineTimeUs: sensor?.lineTimeUs ?? 100,
    slow: 100,
    sample: "",
    tiles: 16,
    masks: "",
    region: "",
  };
}

/** What is wrong with the text of the private areas; empty where nothing is. */
export function masksFault(text: string): string {
  return faultOf(() => {
    const { length } = parseMasks(text);
    return length > MAX_MASKS ? `${length} areas are more than ${MAX_MASKS}.` : "";
  });
}

/** What is wrong with the text of the region; empty where nothing is. */
export function regionFault(text: string): string {
  return faultOf(() => {
    parseRegion(text);
    return "";
  });
}

function faultOf(check: () => string): string {
  try {
    return check();
  } catch (error) {
    return (error as Error).message;
  }
}

/** What these settings show of every picture. */
export function windowOf({ masks, region }: Settings): Window {
  return { masks: parseMasks(masks), region: parseRegion(region) };
}

/** The settings in an address; what it does not say, or says wrongly, is as by default. */
export function settingsFromQuery(query: string, choices: Choices): Settings {
  const said = new URLSearchParams(query);
  const settings = defaultSettings(choices);
  const choose = <T extends string>(key: string, known: readonly T[], fallback: T): T =>
    known.find((value) => value === said.get(key)) ?? fallback;
  const number = (key: string, low: number, high: number, fallback: number): number => {
    const text = said.get(key);
    const value = Number(text);
    return text !== null && text.trim() !== "" && value >= low && value <= high ? value : fallback;
  };
  const areas = (key: string, fault: (text: string) => string): string => {
    const text = said.get(key) ?? "";
    return fault(text) === "" ? text : "";
  };
  const policyNames = choices.policies.map(({ name }) => name);
  const parametersOf = (name: string, prefix: string): Record<string, number> => {
    const kind = choices.policies.find((policy) => policy.name === name);
    const usual = kind?.parameters ?? {};
    const asked = Object.fromEntries(
      Object.entries(usual).map(([key, value]) => {
        const found = number(prefix + key, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, value);
        return [key, contradiction(name, { [key]: found }) === null ? found : value];
      }),
    );
    return contradiction(name, asked) === null ? asked : { ...usual };
  };
  const policy = choose("policy", policyNames, settings.policy);
  const compare = choose("compare", ["", ...policyNames], "");
  const sensor = choose("sensor", [...choices.sensors.map(({ name }) => name), CUSTOM_SENSOR], settings.sensor);
  const preset = choices.sensors.find(({ name }) => name === sensor);
  return {
    mode: choose("mode", MODES, settings.mode),
    engine: choose("engine", choices.engines, settings.engine),
    variant: choose("variant", choices.variants, settings.variant),
    policy,
    parameters: parametersOf(policy, ""),
    compare,
    compareParameters: parametersOf(compare, "compare_"),
    sensor,
    lineTimeUs: preset?.lineTimeUs ?? number("line_time_us", ...LINE_TIME_RANGE_US, settings.lineTimeUs),
    slow: Number(choose("slow", SLOWNESS.map(String), String(settings.slow))),
    sample: said.get("sample")?.slice(0, 200) ?? "",
    tiles: Math.round(number("tiles", 1, MAX_TILES, settings.tiles)),
    masks: areas("masks", masksFault),
    region: areas("region", regionFault),
  };
}

/** The query that says these settings in full. */
export function queryOf(settings: Settings): string {
  const { parameters, compareParameters, lineTimeUs, ...plain } = settings;
  const said = new URLSearchParams();
  for (const [key, value] of Object.entries(plain)) {
    if (value !== "") said.set(key, String(value));
  }
  for (const [key, value] of Object.entries(parameters)) said.set(key, String(value));
  if (settings.compare !== "") {
    for (const [key, value] of Object.entries(compareParameters)) said.set(`compare_${key}`, String(value));
  }
  if (settings.sensor === CUSTOM_SENSOR) said.set("line_time_us", String(lineTimeUs));
  return `?${said}`;
}

export function policyOf(name: string, parameters: Record<string, number>): Policy {
  return { name, ...parameters };
}

/** Time of one line as it passes on the page. */
export function shownLineTimeMs(settings: Settings): number {
  return (settings.lineTimeUs * settings.slow) / 1000;
}
