import { describe, expect, it } from "vitest";
import { sensorsFor } from "../../src/service/sensors";
import { defaultSettings, queryOf, settingsFromQuery, shownLineTimeMs } from "../../src/service/settings";

const choices = {
  engines: ["service", "page"] as const,
  variants: ["105x120", "210x240"],
  policies: [
    { name: "published", parameters: { exit_threshold: 0.99, skip_threshold: 0.005 } },
    { name: "never", parameters: {} },
    { name: "patience", parameters: { bursts: 7, from_share: 0.3 } },
    { name: "two_sided", parameters: { exit_below: 0.05, exit_above: 0.95 } },
  ],
  defaultPolicy: "published",
  sensors: sensorsFor(105, 120),
};

describe("settings in an address", () => {
  it("come back as they were", () => {
    const settings = {
      ...defaultSettings(choices),
      mode: "wall" as const,
      engine: "page" as const,
      variant: "210x240",
      parameters: { exit_threshold: 0.6, skip_threshold: 0.1 },
      compare: "published",
      compareParameters: { exit_threshold: 0.7, skip_threshold: 0.2 },
      sensor: "custom",
      lineTimeUs: 42,
      slow: 300,
      sample: "a photo & more",
      tiles: 64,
      masks: "0, 0, 30, 100; 60, 0, 100, 20, 80, 90",
      region: "50, 0, 50, 100",
    };
    expect(settingsFromQuery(queryOf(settings), choices)).toEqual(settings);
    expect(settingsFromQuery(queryOf(defaultSettings(choices)), choices)).toEqual(defaultSettings(choices));
  });

  it("are as by default where they can't be", () => {
    const query =
      "?mode=poem&variant=1x1&policy=none&compare=none&sensor=eye&slow=7&tiles=1000&exit_threshold=high" +
      "&masks=0,0,300,1&region=0,0,1,1;1,1,1,1";
    expect(settingsFromQuery(query, choices)).toEqual(defaultSettings(choices));
    const said = (query: string) => settingsFromQuery(query, choices).parameters;
    const patience = said("?policy=patience");
    expect(said("?policy=patience&bursts=2.5")).toEqual(patience);
    expect(said("?policy=patience&bursts=Infinity")).toEqual(patience);
    expect(said("?policy=patience&bursts=4")).toEqual({ ...patience, bursts: 4 });
    const sided = said("?policy=two_sided");
    expect(said("?policy=two_sided&exit_below=0.9&exit_above=0.1")).toEqual(sided);
  });

  it("pass slower in slow motion", () => {
    expect(shownLineTimeMs({ ...defaultSettings(choices), lineTimeUs: 250, slow: 100 })).toBe(25);
  });
});

describe("sensors", () => {
  it("are offered where they have the pixels, binned as far as they fit", () => {
    expect(sensorsFor(105, 120).find(({ name }) => name === "hm01b0-qvga")).toMatchObject({ binning: 2 });
    expect(sensorsFor(210, 240).map(({ name }) => name)).not.toContain("hm01b0-qqvga");
  });

  it("have the service's default policy where the address names none", () => {
    const certified = {
      ...choices,
      policies: [...choices.policies, { name: "calibrated", parameters: {} }],
      defaultPolicy: "calibrated",
    };
    expect(settingsFromQuery("", certified)).toMatchObject({ policy: "calibrated", parameters: {} });
    expect(settingsFromQuery("?policy=never", certified).policy).toBe("never");
  });
});
