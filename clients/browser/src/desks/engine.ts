/** The page's side of the worker: begins tasks and hands their reports on. */

import type { FromWorker, PaceOrder, Place, Placed, Report, Task, ToWorker } from "../worker/messages";

/** The part of a Worker that is used here. */
export interface WorkerPort {
  postMessage(message: ToWorker, transfer: Transferable[]): void;
  onmessage: ((event: MessageEvent<FromWorker>) => void) | null;
}

/** A task under way. */
export interface Running {
  pace(order: PaceOrder): void;
  picture(picture: ImageBitmap): void;
  stop(): void;
}

/** A task without the place where frames are decided, which is the same for all. */
type Order<T> = T extends Task ? Omit<T, keyof Placed> : never;

export class Engine {
  private readonly tasks = new Map<number, (report: Report) => void>();
  private next = 1;

  /** `place`: where frames are decided. */
  constructor(
    private readonly port: WorkerPort,
    private readonly place: () => Place,
  ) {
    port.onmessage = ({ data: { id, report } }) => {
      const listen = this.tasks.get(id);
      if (report.kind === "done" || report.kind === "fault") this.tasks.delete(id);
      listen?.(report);
    };
  }

  /** Begins a task; nothing is reported any more once it is stopped. */
  begin(order: Order<Task>, listen: (report: Report) => void, transfer: Transferable[] = []): Running {
    const id = this.next++;
    this.tasks.set(id, listen);
    this.port.postMessage({ id, task: { ...order, place: this.place() } }, transfer);
    return {
      pace: (order) => this.port.postMessage({ id, pace: order }, []),
      picture: (picture) => this.port.postMessage({ id, picture }, [picture]),
      stop: () => {
        this.tasks.delete(id);
        this.port.postMessage({ id, stop: true }, []);
      },
    };
  }
}
