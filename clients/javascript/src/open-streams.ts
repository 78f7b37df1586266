/** Streams with the usual clock and sockets, in one call. The classes take both as arguments, for tests and simulations. */

import { realClock } from "./clock.js";
import { type OpenSocket, StreamError } from "./connection.js";
import { type ExitPolicy, policyOf } from "./exit-policy.js";
import type { Network } from "./kernel.js";
import { LocalStream } from "./local-stream.js";
import { FrameStream } from "./stream.js";
import type { PixelFormat, Policy } from "./wire.js";

export interface LocalOptions {
  /** Null or none: the published rule. */
  policy?: Policy | ExitPolicy | null;
  /** Of every frame of the stream. */
  format?: PixelFormat;
  /** Ends whatever is being read. */
  stop?: AbortSignal;
}

export interface ServiceOptions {
  variant: string;
  /** Null or none: the service's default, which `welcome` tells. */
  policy?: Policy | null;
  format?: PixelFormat;
  /** Token of the service; empty where it asks for none. */
  bearer?: string;
  stop?: AbortSignal;
  /** Opens a websocket, where there is no global `WebSocket` (Node 20), or one with options of its own. */
  openSocket?: OpenSocket;
}

/**
 * A stream of frames to a service, which goes on by itself after a lost connection.
 *
 * `service`: its address, such as `http://127.0.0.1:8000`.
 *
 * @throws {StreamError} `refused`: not an address, or no way to open a websocket.
 */
export function streamTo(service: string | URL, options: ServiceOptions): FrameStream {
  const { variant, policy = null, format = "rgb8", bearer = "", stop = new AbortController().signal } = options;
  const settings = { url: websocketAddress(service), bearer, variant, policy, format };
  return new FrameStream(settings, options.openSocket ?? globalSocket(), realClock, Math.random, stop);
}

/** A stream of frames through a network here, with the answers of a service that has the same weights. */
export function streamThrough(network: Network, options: LocalOptions = {}): LocalStream {
  const { policy = null, format = "rgb8", stop = new AbortController().signal } = options;
  return new LocalStream(network, policyOf(policy), format, realClock, stop);
}

function websocketAddress(service: string | URL): string {
  const schemes: Readonly<Record<string, string>> = { "http:": "ws:", "https:": "wss:", "ws:": "ws:", "wss:": "wss:" };
  const address = URL.canParse(service) ? new URL(service) : null;
  const scheme = address && schemes[address.protocol];
  if (!address || !scheme) {
    const expected = "expected something like http://127.0.0.1:8000";
    throw new StreamError("refused", `${String(service).slice(0, 100)} is not the address of a service; ${expected}.`);
  }
  return `${scheme}//${address.host}${address.pathname.replace(/\/+$/, "")}/v1/stream`;
}

function globalSocket(): OpenSocket {
  const { WebSocket } = globalThis;
  if (WebSocket === undefined) {
    throw new StreamError("refused", "There is no WebSocket here (Node has it from 22 on); name an openSocket.");
  }
  return (url, subprotocols) => new WebSocket(url, subprotocols);
}
