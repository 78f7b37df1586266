/** What there is to scan, and with which networks: from a service, or from this page's own files where it has none. */

import { POLICIES } from "rascanet-stream";
import { SHIPPED, type ShippedName, shippedCertificate } from "rascanet-stream/shipped";
import type { Place } from "../worker/messages";
import {
  fetchModels,
  fetchRecordings,
  fetchSamples,
  type Model,
  type Models,
  type RecordingFile,
  type Sample,
  ServiceFault,
  serviceAddress,
} from "./service";

/** Where frames are decided: by the network in this page, or by a service. */
export const ENGINES = ["page", "service"] as const;
export type EngineName = (typeof ENGINES)[number];

/** What the build says of the page. */
export interface Build {
  /** Opened from static files: there is no service. */
  alone: boolean;
  /** The kernel in WebAssembly was there when the page was built. */
  kernel: boolean;
}

export interface Offer extends Models {
  engine: EngineName;
  /** Those that can be chosen, the default first. */
  engines: readonly EngineName[];
  samples: Sample[];
  recordings: RecordingFile[];
  place(): Place;
}

export function enginesOf({ alone, kernel }: Build): EngineName[] {
  if (alone) return ["page"];
  return kernel ? ["service", "page"] : ["service"];
}

/** The engine that an address asks for; where it can't be, the default. */
export function engineOf(build: Build, query: string): EngineName {
  const engines = enginesOf(build);
  const asked = new URLSearchParams(query).get("engine");
  return engines.find((name) => name === asked) ?? (engines[0] as EngineName);
}

/**
 * What can be done here, by the engine that an address asks for.
 *
 * @throws {ServiceFault} it can't be had.
 */
export async function fetchOffer(build: Build, query: string): Promise<Offer> {
  const engines = enginesOf(build);
  const engine = engineOf(build, query);
  if (engine === "page" && !build.kernel) {
    throw new ServiceFault(
      "This page was built without its network, so it can’t scan. Build it where clang is: make wasm.",
    );
  }
  const asking = engine === "page" ? pageModels() : fetchModels();
  if (!build.alone) await asking; // a service that wants a token refuses once, not thrice
  const [models, samples, recordings] = await Promise.all([
    asking,
    build.alone ? fetchSamples("samples/index.json") : fetchSamples(),
    build.alone ? [] : fetchRecordings(),
  ]);
  const place = (): Place => (engine === "page" ? { at: "page" } : { at: "service", ...serviceAddress(location) });
  return { ...models, engine, engines, samples, recordings, place };
}

/** The networks that come with the page, as a service would tell of its own; only their certificates are fetched. */
async function pageModels(): Promise<Models> {
  try {
    const policies = POLICIES.map(({ name, parameters }) => ({ name, parameters: { ...parameters } }));
    return { models: await Promise.all(SHIPPED.map(pageModel)), policies };
  } catch (error) {
    throw new ServiceFault(`This page’s own networks can’t be had: ${error instanceof Error ? error.message : error}.`);
  }
}

async function pageModel(name: ShippedName): Promise<Model> {
  const { weights, burstRows, policy } = await shippedCertificate(name);
  const [height, width] = name.split(/[x_]/).map(Number) as [number, number];
  return {
    variant: name,
    height,
    width,
    burst_rows: burstRows,
    bursts_per_frame: height / burstRows,
    weights,
    calibrated: policy as Model["calibrated"],
    stream_policy: policy.name,
  };
}
