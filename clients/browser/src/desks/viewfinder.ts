/**
 * The small picture of a live source, and where its pictures are taken from.
 *
 * A camera's pictures go to the worker as a stream of their own where the browser can do that: it goes on in a
 * background tab, and this page never touches them. Else, and for video files, they are taken here as they are shown.
 */

import { byId } from "../view/dom";

/** Gives the pictures of a track; not in every browser, and so not in TypeScript's library. */
declare const MediaStreamTrackProcessor:
  | (new (init: {
      track: MediaStreamTrack;
      maxBufferSize?: number;
    }) => { readable: ReadableStream<VideoFrame> })
  | undefined;

export class ViewFinder {
  private readonly video = byId<HTMLVideoElement>("video");
  private camera: MediaStream | null = null;
  /** Of the source that is opened or open; another one once that is closed. */
  private turn = {};
  /** Of the source whose pictures are taken now. */
  private watching: object | null = null;

  /**
   * Asks for the camera `wanted` and shows it; `taken` hears when it is taken away. False when it was closed meanwhile: whoever
   * answers the browser's question after turning away gets no camera.
   *
   * @throws {DOMException} when there is none to be had.
   */
  async openCamera(devices: MediaDevices, wanted: MediaTrackConstraints, taken: () => void): Promise<boolean> {
    this.close();
    const { turn } = this;
    let camera: MediaStream;
    try {
      camera = await devices.getUserMedia({
        video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 }, ...wanted },
      });
    } catch (error) {
      if (this.turn === turn) throw error;
      return false;
    }
    if (this.turn !== turn) {
      for (const track of camera.getTracks()) track.stop();
      return false;
    }
    this.camera = camera;
    for (const track of camera.getTracks()) track.onended = taken;
    this.video.srcObject = camera;
    return this.play(turn);
  }

  /**
   * Shows a video file, over and over. False when it was closed meanwhile.
   *
   * @throws {DOMException} when it can't be played.
   */
  async openVideo(file: File): Promise<boolean> {
    this.close();
    this.video.src = URL.createObjectURL(file);
    this.video.loop = true;
    return this.play(this.turn);
  }

  private async play(turn: object): Promise<boolean> {
    try {
      await this.video.play();
    } catch (error) {
      if (this.turn === turn) throw error;
    }
    return this.turn === turn;
  }

  close(): void {
    this.turn = {};
    this.watching = null;
    for (const track of this.camera?.getTracks() ?? []) {
      track.onended = null;
      track.stop();
    }
    this.camera = null;
    this.video.pause();
    this.video.srcObject = null;
    if (this.video.src !== "") URL.revokeObjectURL(this.video.src);
    this.video.removeAttribute("src");
  }

  /** The source as it is shown; null where none is open, or it has no picture yet. */
  get shown(): HTMLVideoElement | null {
    return this.video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA ? this.video : null;
  }

  /** The camera's pictures, for a worker; null where they have to be taken here. */
  stream(): ReadableStream<VideoFrame> | null {
    const [track] = this.camera?.getVideoTracks() ?? [];
    if (track === undefined || typeof MediaStreamTrackProcessor === "undefined") return null;
    return new MediaStreamTrackProcessor({ track, maxBufferSize: 1 }).readable;
  }

  /** Hands on no picture any more, and goes on showing the source. */
  rest(): void {
    this.watching = null;
  }

  /** Hands on each picture as it is shown, until the source is closed, rests or is watched anew. */
  watch(taken: (picture: ImageBitmap) => void): void {
    const watching = {};
    this.watching = watching;
    const next = () => this.video.requestVideoFrameCallback(() => void capture());
    const capture = async () => {
      if (this.watching !== watching) return;
      next();
      const picture = await createImageBitmap(this.video, { colorSpaceConversion: "none" });
      if (this.watching === watching) taken(picture);
      else picture.close();
    };
    next();
  }
}

/** Why a page may not have a camera, and what helps. */
export const INSECURE =
  "A browser gives cameras to secure pages alone. Open this page on the machine that serves it, as http://localhost:…, " +
  "or over https: give the service, or a proxy before it, a certificate.";

/** Which camera: the front or back one of a phone, or one of those there are, once the browser tells their names. */
export class CameraChoice {
  private readonly select = byId<HTMLSelectElement>("camera");

  constructor(changed: () => void) {
    this.select.onchange = changed;
    byId("insecure").textContent = INSECURE;
    byId("insecure").hidden = window.isSecureContext;
  }

  get wanted(): MediaTrackConstraints {
    const { value } = this.select;
    return value === "user" || value === "environment" ? { facingMode: value } : { deviceId: { exact: value } };
  }

  /** Adds the cameras' names, which a browser gives after the first one was allowed. */
  async list(devices: MediaDevices): Promise<void> {
    const known = new Set([...this.select.options].map(({ value }) => value));
    for (const { kind, deviceId, label } of await devices.enumerateDevices()) {
      if (kind === "videoinput" && label !== "" && !known.has(deviceId))
        this.select.append(new Option(label, deviceId));
    }
  }
}

/** Why there is no camera, and what else can be done. */
export function cameraWords(error: unknown): string {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") {
    return "The camera was refused. Allow it beside the browser’s address, or use a picture, a video or a recording.";
  }
  if (name === "NotFoundError" || name === "OverconstrainedError") {
    return "There is no camera here. Plug one in, or use a picture, a video or a recording.";
  }
  if (name === "NotReadableError" || name === "AbortError") {
    return "The camera can’t be started; another program may be using it.";
  }
  return `The camera can’t be used (${name || "unknown reason"}).`;
}
