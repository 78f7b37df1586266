/** Tells how a certificate's promise fares: asks the service again and again, while somebody looks at the page. */

import { watchWords } from "../service/policies";
import { fetchModels, type Models, ServiceFault } from "../service/service";
import { byId } from "../view/dom";
import type { Controls } from "./controls";

const ASK_EVERY_MS = 5_000;

export class PromiseWatch {
  private readonly place = byId("policy-watch");
  private models: Models;
  private asking = false;

  /** `models`: as the service told them at first; a page without a service never begins. */
  constructor(
    private readonly controls: Controls,
    models: Models,
  ) {
    this.models = models;
  }

  begin(): void {
    this.show();
    setInterval(() => void this.ask(), ASK_EVERY_MS);
  }

  /** Says what is known of the policy at hand; nothing of one that promises nothing, or is not watched. */
  show(): void {
    const { policy, variant } = this.controls.settings;
    const model = this.models.models.find((each) => each.variant === variant);
    const watch = model?.calibrated?.name === policy ? model.watch : null;
    this.place.textContent = watch ? watchWords(watch) : "";
  }

  private async ask(): Promise<void> {
    if (document.hidden || this.asking || this.controls.settings.policy !== this.controls.model.calibrated?.name)
      return;
    this.asking = true;
    try {
      this.models = await fetchModels();
      this.show();
    } catch (error) {
      if (!(error instanceof ServiceFault)) throw error; // a service that is away is told of where it is needed
    } finally {
      this.asking = false;
    }
  }
}
