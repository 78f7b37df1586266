/** What the service offers, asked over HTTP. */

import { HttpClient, HttpError, type Models } from "rascanet-stream";
import type { Place } from "../worker/messages";
import { access } from "./access";

export type { Models, PolicyKind, ServedModel as Model } from "rascanet-stream";

export interface Sample {
  name: string;
  url: string;
}

/** What a simulated sensor emitted, as a file. */
export interface RecordingFile {
  name: string;
  url: string;
}

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
  const models = await asked((client) => client.models());
  if (models.models.length === 0) throw new ServiceFault("This server has no network loaded, so it can’t scan.");
  return models;
}

/** `path`: of the service, or of a file beside a page that has none. */
export async function fetchSamples(path = "/v1/samples"): Promise<Sample[]> {
  return (await asked((client) => client.json(path))) as Sample[];
}

export async function fetchPhoto(sample: Sample): Promise<Blob> {
  return (await asked((client) => client.get(sample.url))).blob();
}

export async function fetchRecordings(): Promise<RecordingFile[]> {
  return (await asked((client) => client.json("/v1/recordings"))) as RecordingFile[];
}

export async function fetchRecording(url: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await (await asked((client) => client.get(url))).arrayBuffer());
}

/** Where streams are opened: on the server that sent the page. */
export function serviceAddress(page: Location): Omit<Extract<Place, { at: "service" }>, "at"> {
  const url = `${page.protocol === "https:" ? "wss:" : "ws:"}//${page.host}/v1/stream`;
  return { url, bearer: access.token };
}

/** Why a websocket was refused, which a browser doesn't say: the answers to plain requests tell the reasons apart. */
export async function whyRefused(): Promise<ServiceFault> {
  try {
    await asked((client) => client.models());
    return new ServiceFault("The server is there but takes no more streams now; it is probably full. Wait a moment.");
  } catch (error) {
    if (error instanceof TokenFault) return error;
    return new ServiceFault("The server can’t be reached. It may have stopped, or the network is down.");
  }
}

/** Asks the server that sent the page; what it refuses is said for the person at the page. */
async function asked<T>(question: (client: HttpClient) => Promise<T>): Promise<T> {
  const { token } = access;
  try {
    return await question(new HttpClient("", { bearer: token }));
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    if (error.status === 401) throw new TokenFault(token !== "");
    throw new ServiceFault(error.message);
  }
}
