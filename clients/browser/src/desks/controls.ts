/** The form of settings: shows a `Settings` value, and says when the person at the page changes it. */

import type { EngineName, Offer } from "../service/offer";
import { contradiction, parameterRange, policiesFor, policyLabel, policyWords } from "../service/policies";
import { type SensorTiming, sensorsFor } from "../service/sensors";
import type { Model, PolicyKind } from "../service/service";
import {
  type Choices,
  CUSTOM_SENSOR,
  defaultSettings,
  LINE_TIME_RANGE_US,
  type Mode,
  masksFault,
  regionFault,
  type Settings,
  SLOWNESS,
  settingsFromQuery,
} from "../service/settings";
import { byId, make } from "../view/dom";
import { microsecondsWords } from "../view/words";

const SLIDER_STEPS = 200;
const RANGE_RATIO = LINE_TIME_RANGE_US[1] / LINE_TIME_RANGE_US[0];

const ENGINE_WORDS: Record<EngineName, string> = { page: "In this page", service: "At the service" };

/** A network in words; the page's own ones come in two arithmetics. */
function modelWords(engine: EngineName, { variant, height, width }: Model): string {
  if (engine === "service") return `${height} rows × ${width} columns`;
  return `${height} × ${width}, in ${variant.endsWith("_int8") ? "integers" : "floats"}`;
}

export type Change =
  | "mode"
  | "engine"
  | "variant"
  | "policy"
  | "parameters"
  | "compare"
  | "compare-parameters"
  | "pace"
  | "window"
  | "tiles";

export class Controls {
  settings: Settings;
  private readonly variant = byId<HTMLSelectElement>("variant");
  private readonly engine = byId<HTMLSelectElement>("engine");
  private readonly policy = byId<HTMLSelectElement>("policy");
  private readonly compare = byId<HTMLSelectElement>("compare");
  private readonly sensor = byId<HTMLSelectElement>("sensor");
  private readonly lineTime = byId<HTMLInputElement>("line-time");
  private readonly slow = byId<HTMLSelectElement>("slow");
  private readonly tiles = byId<HTMLInputElement>("tiles");
  private readonly masks = byId<HTMLInputElement>("masks");
  private readonly region = byId<HTMLInputElement>("region");
  private readonly form = byId<HTMLFormElement>("settings");

  constructor(
    private readonly offer: Offer,
    query: string,
    private readonly onChange: (change: Change) => void,
  ) {
    this.settings = this.settingsOf(query);
    this.fill();
    this.listen();
  }

  /** Takes the settings of another address, as after going back. */
  take(query: string): void {
    this.settings = this.settingsOf(query);
    this.fill();
  }

  private settingsOf(query: string): Settings {
    const first = defaultSettings(this.choices(this.offer.models[0]?.variant ?? ""));
    const wanted = new URLSearchParams(query).get("variant") ?? first.variant;
    return settingsFromQuery(query, this.choices(wanted));
  }

  get model(): Model {
    const model = this.offer.models.find(({ variant }) => variant === this.settings.variant);
    if (model === undefined) throw new Error(`the service does not serve ${this.settings.variant}`);
    return model;
  }

  private get sensors(): SensorTiming[] {
    return sensorsFor(this.model.height, this.model.width);
  }

  /** A parameter of the first or the second policy, set from outside the form. */
  setParameter(beside: boolean, name: string, value: number): void {
    const { settings } = this;
    (beside ? settings.compareParameters : settings.parameters)[name] = value;
    const input = byId(beside ? "compare-parameters" : "parameters").querySelector<HTMLInputElement>(`[name=${name}]`);
    if (input) input.value = String(value);
    this.check();
  }

  /** Whether the thresholds can be; if not, the form says why. */
  sound(): boolean {
    this.check();
    return this.form.reportValidity();
  }

  /** Private areas or the region, set from outside the form. */
  setWindow(change: Partial<Pick<Settings, "masks" | "region">>): void {
    Object.assign(this.settings, change);
    this.showWindow();
    this.onChange("window");
  }

  private showWindow(): void {
    for (const name of ["masks", "region"] as const) {
      this[name].value = this.settings[name];
      this[name].setCustomValidity("");
    }
  }

  setMode(mode: Mode): void {
    this.settings.mode = mode;
    document.body.dataset.mode = mode;
    byId<HTMLInputElement>(`mode-${mode}`).checked = true;
  }

  private choices(variant: string): Choices {
    const model = this.offer.models.find((one) => one.variant === variant) ?? this.offer.models[0];
    return {
      engines: [this.offer.engine, ...this.offer.engines],
      variants: this.offer.models.map((one) => one.variant),
      policies: model ? policiesFor(model, this.offer) : [],
      defaultPolicy: model?.stream_policy ?? "",
      sensors: model ? sensorsFor(model.height, model.width) : [],
    };
  }

  private fill(): void {
    const { settings, offer } = this;
    options(
      this.variant,
      offer.models.map((model) => [model.variant, modelWords(offer.engine, model)]),
      settings.variant,
    );
    options(
      this.engine,
      offer.engines.map((name) => [name, ENGINE_WORDS[name]]),
      settings.engine,
    );
    byId("engine-field").hidden = offer.engines.length < 2;
    options(
      this.slow,
      SLOWNESS.map((times) => [String(times), times === 1 ? "Real time" : `Slow motion, ${times} ×`]),
      String(settings.slow),
    );
    this.lineTime.max = String(SLIDER_STEPS);
    this.tiles.value = String(settings.tiles);
    this.showWindow();
    byId<HTMLDetailsElement>("window").open ||= settings.masks + settings.region !== "";
    this.fillSensors();
    this.fillPolicies();
    byId<HTMLInputElement>("beside").checked = settings.compare !== "";
    this.setMode(settings.mode);
    this.showPace();
  }

  private fillSensors(): void {
    this.sensor.replaceChildren(
      ...this.sensors.map(({ name, label, lineTimeUs }) => {
        return new Option(`${label} · ${microsecondsWords(lineTimeUs)}`, name);
      }),
      new Option("Own line time", CUSTOM_SENSOR),
    );
    this.sensor.value = this.settings.sensor;
  }

  private get policies(): PolicyKind[] {
    return policiesFor(this.model, this.offer);
  }

  private fillPolicies(): void {
    const { settings } = this;
    const names = this.policies.map(({ name }): [string, string] => [name, policyLabel(name)]);
    options(this.policy, names, settings.policy);
    options(this.compare, [["", "Nothing"], ...names], settings.compare);
    this.fillParameters(false);
    this.fillParameters(true);
  }

  private setPolicy(beside: boolean, name: string): void {
    const parameters = { ...this.policies.find((policy) => policy.name === name)?.parameters };
    const change = beside ? { compare: name, compareParameters: parameters } : { policy: name, parameters };
    Object.assign(this.settings, change);
  }

  private fillParameters(beside: boolean): void {
    const values = beside ? this.settings.compareParameters : this.settings.parameters;
    const chosen = beside ? this.settings.compare : this.settings.policy;
    const hint = byId(beside ? "compare-hint" : "policy-hint");
    const sayRule = () => {
      hint.textContent = policyWords(chosen, values, this.model);
    };
    sayRule();
    const prefix = beside ? "compare-" : "";
    byId(beside ? "compare-parameters" : "parameters").replaceChildren(
      ...Object.keys(values).map((name) => {
        const id = prefix + name.replaceAll("_", "-");
        const input = make("input", { id, name, type: "number", step: "any", required: true, inputmode: "decimal" });
        const { label, low, high, whole } = parameterRange(chosen, name);
        if (Number.isFinite(low)) input.min = String(low);
        if (Number.isFinite(high)) input.max = String(high);
        if (whole) input.step = "1";
        input.value = String(values[name]);
        input.onchange = () => {
          if (!this.sound()) return;
          values[name] = input.valueAsNumber;
          sayRule();
          this.onChange(beside ? "compare-parameters" : "parameters");
        };
        return make("div", { class: "field" }, make("label", { for: id }, label), input);
      }),
    );
  }

  /** What a policy can't have is refused where it is typed. */
  private check(): void {
    const { policy, compare } = this.settings;
    for (const [id, chosen] of Object.entries({ parameters: policy, "compare-parameters": compare })) {
      const inputs = [...byId(id).querySelectorAll("input")];
      const typed = Object.fromEntries(inputs.map(({ name, valueAsNumber }) => [name, valueAsNumber]));
      const wrong = contradiction(chosen, typed);
      for (const input of inputs) input.setCustomValidity(input.name === wrong?.name ? wrong.words : "");
    }
  }

  private listen(): void {
    for (const input of document.querySelectorAll<HTMLInputElement>("[name=mode]")) {
      input.onchange = () => {
        this.setMode(input.value as Mode);
        this.onChange("mode");
      };
    }
    this.engine.onchange = () => {
      this.settings.engine = this.engine.value as EngineName;
      this.onChange("engine");
    };
    this.variant.onchange = () => {
      this.settings.variant = this.variant.value;
      this.fillSensors();
      const preset = this.sensors.find(({ name }) => name === this.settings.sensor);
      if (preset === undefined) this.settings.sensor = CUSTOM_SENSOR;
      else this.settings.lineTimeUs = preset.lineTimeUs;
      // Not every network has a certificate.
      const known = (name: string) => name === "" || this.policies.some((policy) => policy.name === name);
      if (!known(this.settings.policy)) this.setPolicy(false, this.model.stream_policy);
      if (!known(this.settings.compare)) this.setPolicy(true, this.model.stream_policy);
      this.fillPolicies();
      this.showPace();
      this.onChange("variant");
    };
    const choosePolicy = (beside: boolean, name: string) => {
      this.setPolicy(beside, name);
      this.fillParameters(beside);
      this.onChange(beside ? "compare" : "policy");
    };
    this.policy.onchange = () => choosePolicy(false, this.policy.value);
    this.compare.onchange = () => choosePolicy(true, this.compare.value);
    this.sensor.onchange = () => {
      this.settings.sensor = this.sensor.value;
      const preset = this.sensors.find(({ name }) => name === this.settings.sensor);
      if (preset) this.settings.lineTimeUs = preset.lineTimeUs;
      this.showPace();
      this.onChange("pace");
    };
    this.lineTime.oninput = () => {
      const us = LINE_TIME_RANGE_US[0] * RANGE_RATIO ** (this.lineTime.valueAsNumber / SLIDER_STEPS);
      this.settings.lineTimeUs = Number(us.toPrecision(2));
      this.settings.sensor = CUSTOM_SENSOR;
      this.showPace();
      this.onChange("pace");
    };
    this.slow.onchange = () => {
      this.settings.slow = Number(this.slow.value);
      this.showPace();
      this.onChange("pace");
    };
    for (const name of ["masks", "region"] as const) {
      this[name].onchange = () => {
        const { value } = this[name];
        this[name].setCustomValidity((name === "region" ? regionFault : masksFault)(value));
        if (!this[name].reportValidity()) return;
        this.settings[name] = value.trim();
        this.onChange("window");
      };
    }
    this.tiles.oninput = () => {
      this.settings.tiles = this.tiles.valueAsNumber;
      this.showPace();
      this.onChange("tiles");
    };
    byId<HTMLInputElement>("beside").onchange = (event) => {
      const on = (event.target as HTMLInputElement).checked;
      const other = this.policies.find(({ name }) => name !== this.settings.policy) ?? this.policies[0];
      this.compare.value = on ? (other?.name ?? "") : "";
      choosePolicy(true, this.compare.value);
    };
  }

  private showPace(): void {
    const { settings } = this;
    this.sensor.value = settings.sensor;
    const share = Math.log(settings.lineTimeUs / LINE_TIME_RANGE_US[0]) / Math.log(RANGE_RATIO);
    this.lineTime.value = String(Math.round(share * SLIDER_STEPS));
    const words = microsecondsWords(settings.lineTimeUs);
    this.lineTime.setAttribute("aria-valuetext", words);
    byId("line-time-value").textContent = words;
    const frameMs = (settings.lineTimeUs * this.model.height) / 1000;
    const binning = this.sensors.find(({ name }) => name === settings.sensor)?.binning ?? 1;
    const binned = binning > 1 ? `, ${binning} × ${binning} pixels binned` : "";
    byId("line-time-hint").textContent = `A whole frame: ${microsecondsWords(frameMs * 1000)}${binned}.`;
    byId("tiles-value").textContent = String(settings.tiles);
  }
}

function options(select: HTMLSelectElement, entries: [string, string][], value: string): void {
  select.replaceChildren(...entries.map(([key, label]) => new Option(label, key)));
  select.value = value;
}
