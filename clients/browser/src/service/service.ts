/** What the service offers, asked over HTTP. */

import type { ServiceAddress } from "../worker/messages";
import { access } from "./access";

export interface Model {
  variant: string;
  height: number;
  width: number;
  burst_rows: number;
  bursts_per_frame: number;
  weights: string;
  /** The policy of the certificate that goes with the weights, if there is one. */
  calibrated: ({ name: string } & Record<string, number | string>) | null;
  /** The policy of streams that name none. */
  stream_policy: string;
}

export interface PolicyKind {
  name: string;
  parameters: Record<string, number>;
}

export interface Models {
  models: Model[];
  policies: PolicyKind[];
}

export interface Sample {
  name: string;
  url: string;
}

/** What a simulated sensor emitted, as a file. */
export interface RecordingFile {
  name: string;
  url: string;
}

const LIMIT_MS = 10_000;

/** The service did not answer, or not with what was asked for; the message is for the person at the page. */
export class ServiceFault extends Error {
  override readonly name = "ServiceFault";
}

/** The service asks for a token, or for another one. */
export class TokenFault extends ServiceFault {
  constructor(given: boolean) {
    super(given ? "This is not the service’s token." : "This service answers those alone who have its token.");
  }
}

export async function fetchModels(): Promise<Models> {
  const models = (await fetchJson("/v1/models")) as Models;
  if (models.models.length === 0) throw new ServiceFault("This server has no network loaded, so it can’t scan.");
  return models;
}

export async function fetchSamples(): Promise<Sample[]> {
  return (await fetchJson("/v1/samples")) as Sample[];
}

export async function fetchPhoto(sample: Sample): Promise<Blob> {
  return (await get(sample.url)).blob();
}

export async function fetchRecordings(): Promise<RecordingFile[]> {
  return (await fetchJson("/v1/recordings")) as RecordingFile[];
}

export async function fetchRecording(url: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await (await get(url)).arrayBuffer());
}

/** Where streams are opened: on the server that sent the page. */
export function serviceAddress(page: Location): ServiceAddress {
  const url = `${page.protocol === "https:" ? "wss:" : "ws:"}//${page.host}/v1/stream`;
  return { url, bearer: access.token };
}

/** Why a websocket was refused, which a browser doesn't say: the answers to plain requests tell the reasons apart. */
export async function whyRefused(): Promise<ServiceFault> {
  try {
    await get("/v1/models");
    return new ServiceFault("The server is there but takes no more streams now; it is probably full. Wait a moment.");
  } catch (error) {
    if (error instanceof TokenFault) return error;
    return new ServiceFault("The server can’t be reached. It may have stopped, or the network is down.");
  }
}

async function fetchJson(path: string): Promise<unknown> {
  const response = await get(path);
  try {
    return await response.json();
  } catch {
    throw new ServiceFault("The server answered with something this page does not understand.");
  }
}

async function get(path: string): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { headers: access.headers, signal: AbortSignal.timeout(LIMIT_MS) });
  } catch {
    throw new ServiceFault("The server can’t be reached.");
  }
  if (response.status === 401) throw new TokenFault(access.token !== "");
  if (!response.ok) throw new ServiceFault(`The server refused ${path} with HTTP status ${response.status}.`);
  return response;
}
