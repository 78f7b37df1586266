/** The package: everything that is not a file of its own (weights, WebAssembly) comes from here. */

export * from "./clock.js";
export { type OpenSocket, type Socket, StreamError, type StreamFault } from "./connection.js";
export * from "./curve.js";
export * from "./exit-lines.js";
export { facts } from "./facts.js";
export * from "./frame.js";
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
export { Pace } from "./pace.js";
export * from "./presence.js";
export {
  isRecording,
  MAX_RECORDING_BYTES,
  type RecordedFrame,
  type Recording,
  RecordingError,
  readRecording,
} from "./recording.js";
export { resize } from "./resize.js";
export { type FrameListener, type FrameResult, FrameStream, type StreamSettings } from "./stream.js";
export { type Arithmetic, type NetworkConfig, readWeights, type Weights, WeightsError } from "./weights.js";
export {
  CHANNELS,
  type Decision,
  HEADER_BYTES,
  PIXEL_FORMATS,
  type PixelFormat,
  type Policy,
  VERSION,
  type Welcome,
} from "./wire.js";
