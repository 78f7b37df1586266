/** The package: everything that is not a file of its own (weights, WebAssembly) comes from here. */

export * from "./clock.js";
export { type OpenSocket, type Socket, StreamError, type StreamFault } from "./connection.js";
export * from "./curve.js";
export * from "./exit-lines.js";
export {
  certifiedPolicy,
  type ExitPolicy,
  PERSON_FROM,
  POLICIES,
  PolicyError,
  type PolicyParameters,
  type PolicyState,
  parsePolicy,
  type Ruling,
  type Seen,
} from "./exit-policy.js";
export { facts } from "./facts.js";
export * from "./frame.js";
export {
  type CertificateWatch,
  type ClassifyOptions,
  HttpClient,
  HttpError,
  type HttpOptions,
  type Models,
  type PictureDecision,
  type PictureFile,
  type PictureRefusal,
  type PolicyKind,
  type ServedModel,
} from "./http-client.js";
export {
  bestForm,
  compileKernel,
  createNetwork,
  FORMS,
  type Form,
  type Hidden,
  kernelFile,
  type Network,
  type StepResult,
  supports,
} from "./kernel.js";
export { LoadError, type LoadOptions, load, type Source } from "./load.js";
export { LocalStream } from "./local-stream.js";
export { type LocalOptions, type ServiceOptions, streamThrough, streamTo } from "./open-streams.js";
export { atOnce, Pace } from "./pace.js";
export * from "./presence.js";
export {
  isRecording,
  MAX_RECORDING_BYTES,
  type RecordedFrame,
  type Recording,
  RecordingError,
  readRecording,
} from "./recording.js";
export {
  type Answer,
  type Loaded,
  type Port,
  RemoteNetwork,
  type RemoteOptions,
  type Request,
} from "./remote-network.js";
export { resize } from "./resize.js";
export { decisionOf, FrameScan, type ScannedFrame, scanFrame } from "./scan.js";
export { type FrameListener, type FrameReader, type FrameResult, FrameStream, type StreamSettings } from "./stream.js";
export {
  type Arithmetic,
  type NetworkConfig,
  readWeights,
  type Tensor,
  type Weights,
  WeightsError,
} from "./weights.js";
export {
  boxOf,
  MOST_POINTS,
  type Picture8,
  type Place,
  type Polygon,
  parseMasks,
  parseRegion,
  type Rectangle,
  type Shape,
  type Span,
  shapesText,
  shownPart,
  spansOf,
  WHOLE_PICTURE,
  type Window,
  WindowError,
} from "./window.js";
export {
  CHANNELS,
  type Decision,
  HEADER_BYTES,
  PIXEL_FORMATS,
  type PixelFormat,
  type Policy,
  type Position,
  type Summary,
  VERSION,
  type Welcome,
} from "./wire.js";
