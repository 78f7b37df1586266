/** Written by tests/vectors/make_facts.py. */
export const facts = {
  "sensors": [
    {
      "name": "generic-qvga",
      "label": "GENERIC QVGA",
      "height": 240,
      "width": 320,
      "line_time_us": 133.3333,
      "frame_period_us": 33333.33
    },
    {
      "name": "hm01b0-qvga",
      "label": "HM01B0 QVGA",
      "height": 240,
      "width": 320,
      "line_time_us": 125.3333,
      "frame_period_us": 32586.67
    },
    {
      "name": "hm01b0-qvga60",
      "label": "HM01B0 QVGA60",
      "height": 240,
      "width": 320,
      "line_time_us": 62.6667,
      "frame_period_us": 16293.33
    },
    {
      "name": "hm01b0-qqvga",
      "label": "HM01B0 QQVGA",
      "height": 120,
      "width": 160,
      "line_time_us": 125.3333,
      "frame_period_us": 16544.0
    },
    {
      "name": "hm01b0-full",
      "label": "HM01B0 FULL",
      "height": 320,
      "width": 320,
      "line_time_us": 125.3333,
      "frame_period_us": 42864.0
    },
    {
      "name": "hm0360-vga",
      "label": "HM0360 VGA",
      "height": 480,
      "width": 640,
      "line_time_us": 32.0,
      "frame_period_us": 17024.0
    },
    {
      "name": "hm0360-qvga",
      "label": "HM0360 QVGA",
      "height": 240,
      "width": 320,
      "line_time_us": 31.3333,
      "frame_period_us": 8303.33
    },
    {
      "name": "hm0360-qqvga",
      "label": "HM0360 QQVGA",
      "height": 120,
      "width": 160,
      "line_time_us": 31.3333,
      "frame_period_us": 4136.0
    },
    {
      "name": "ov7670-vga",
      "label": "OV7670 VGA",
      "height": 480,
      "width": 640,
      "line_time_us": 65.3333,
      "frame_period_us": 33320.0
    },
    {
      "name": "mt9v012-vga",
      "label": "MT9V012 VGA",
      "height": 480,
      "width": 640,
      "line_time_us": 65.4815,
      "frame_period_us": 33330.07
    }
  ],
  "person_from": 0.5,
  "policies": [
    {
      "name": "published",
      "label": "Published rule",
      "sentence": "Exits once P(person) is {exit_threshold} or more; skips the next burst while P(person) is {skip_threshold} or less.",
      "parameters": {
        "exit_threshold": 0.99,
        "skip_threshold": 0.005
      },
      "ranges": {
        "exit_threshold": {
          "label": "Exit at P(person) \u2265",
          "low": 0.0,
          "high": 1.0,
          "above_low": false,
          "whole": false
        },
        "skip_threshold": {
          "label": "Skip at P(person) \u2264",
          "low": 0.0,
          "high": 1.0,
          "above_low": false,
          "whole": false
        }
      },
      "ordered": [
        "skip_threshold",
        "exit_threshold"
      ]
    },
    {
      "name": "never",
      "label": "Never exit",
      "sentence": "Reads every frame to its end.",
      "parameters": {},
      "ranges": {},
      "ordered": null
    },
    {
      "name": "two_sided",
      "label": "Two-sided",
      "sentence": "Exits once P(person) is {exit_above} or more, or {exit_below} or less.",
      "parameters": {
        "exit_above": 0.97,
        "exit_below": 0.03
      },
      "ranges": {
        "exit_above": {
          "label": "Exit at P(person) \u2265",
          "low": 0.0,
          "high": 1.0,
          "above_low": false,
          "whole": false
        },
        "exit_below": {
          "label": "Exit at P(person) \u2264",
          "low": 0.0,
          "high": 1.0,
          "above_low": false,
          "whole": false
        }
      },
      "ordered": [
        "exit_below",
        "exit_above"
      ]
    },
    {
      "name": "per_burst",
      "label": "Less sure, later",
      "sentence": "Exits as person once P(person) reaches a threshold, and as no person once 1 - P(person) reaches another. The threshold for person goes evenly from {person_first} at the first row to {person_last} at the last row. The threshold for no person goes in the same way from {empty_first} to {empty_last}. As long as a threshold is above 1, no frame exits by it.",
      "parameters": {
        "person_first": 1.0,
        "person_last": 0.7,
        "empty_first": 1.0,
        "empty_last": 0.7
      },
      "ranges": {
        "person_first": {
          "label": "Sure of a person, at the first row",
          "low": 0.5,
          "high": 2,
          "above_low": false,
          "whole": false
        },
        "person_last": {
          "label": "Sure of a person, at the last row",
          "low": 0.5,
          "high": 2,
          "above_low": false,
          "whole": false
        },
        "empty_first": {
          "label": "Sure of nobody, at the first row",
          "low": 0.5,
          "high": 2,
          "above_low": false,
          "whole": false
        },
        "empty_last": {
          "label": "Sure of nobody, at the last row",
          "low": 0.5,
          "high": 2,
          "above_low": false,
          "whole": false
        }
      },
      "ordered": null
    },
    {
      "name": "patience",
      "label": "Patience",
      "sentence": "Exits once {bursts} bursts, one after the other, gave the same decision, but not before {from_share:%} of the frame is read.",
      "parameters": {
        "bursts": 6,
        "from_share": 0.3
      },
      "ranges": {
        "bursts": {
          "label": "Bursts of one mind",
          "low": 1,
          "high": 65535,
          "above_low": false,
          "whole": true
        },
        "from_share": {
          "label": "From this share of the frame on",
          "low": 0.0,
          "high": 1.0,
          "above_low": false,
          "whole": false
        }
      },
      "ordered": null
    },
    {
      "name": "confidence",
      "label": "Own confidence",
      "sentence": "Exits once the network's confidence is {threshold} or more. The confidence estimates how likely the decision stays the same.",
      "parameters": {
        "threshold": 0.95
      },
      "ranges": {
        "threshold": {
          "label": "Exit at confidence \u2265",
          "low": 0.0,
          "high": 1.0,
          "above_low": false,
          "whole": false
        }
      },
      "ordered": null
    },
    {
      "name": "sequential",
      "label": "Summed evidence",
      "sentence": "Sums the log odds of a person over the bursts, and exits once the sum reaches {evidence} for either side. From one burst to the next, {decay:%} of the sum is kept.",
      "parameters": {
        "evidence": 8.0,
        "decay": 0.8
      },
      "ranges": {
        "evidence": {
          "label": "Evidence",
          "low": 0,
          "high": 1000,
          "above_low": true,
          "whole": false
        },
        "decay": {
          "label": "Kept per burst",
          "low": 0.0,
          "high": 1.0,
          "above_low": false,
          "whole": false
        }
      },
      "ordered": null
    },
    {
      "name": "fixed_row",
      "label": "Fixed row",
      "sentence": "Exits once {share:%} of the frame is read.",
      "parameters": {
        "share": 0.5
      },
      "ranges": {
        "share": {
          "label": "Share of the frame",
          "low": 0.0,
          "high": 1.0,
          "above_low": false,
          "whole": false
        }
      },
      "ordered": null
    },
    {
      "name": "calibrated",
      "label": "Calibrated",
      "sentence": "Exits as person once P(person) reaches a threshold, and as no person once 1 - P(person) reaches another. The threshold for person goes evenly from {person_first} at the first row to {person_last} at the last row. The threshold for no person goes in the same way from {empty_first} to {empty_last}. As long as a threshold is above 1, no frame exits by it. The thresholds come from a certificate.",
      "parameters": {
        "person_first": 1.0,
        "person_last": 0.7,
        "empty_first": 1.0,
        "empty_last": 0.7
      },
      "ranges": {
        "person_first": {
          "label": "Sure of a person, at the first row",
          "low": 0.5,
          "high": 2,
          "above_low": false,
          "whole": false
        },
        "person_last": {
          "label": "Sure of a person, at the last row",
          "low": 0.5,
          "high": 2,
          "above_low": false,
          "whole": false
        },
        "empty_first": {
          "label": "Sure of nobody, at the first row",
          "low": 0.5,
          "high": 2,
          "above_low": false,
          "whole": false
        },
        "empty_last": {
          "label": "Sure of nobody, at the last row",
          "low": 0.5,
          "high": 2,
          "above_low": false,
          "whole": false
        }
      },
      "ordered": null
    }
  ],
  "promises": {
    "disagreement": {
      "marginal": "Exits change at most {risk:%} of the decisions; the chance that this promise is wrong is {delta:%}.",
      "halt-time": "Exits change at most {risk:%} of the decisions, counted separately for early and for late exits; the chance that this promise is wrong is {delta:%}."
    },
    "accuracy": {
      "marginal": "Exits turn at most {risk:%} of the decisions from right to wrong; the chance that this promise is wrong is {delta:%}.",
      "halt-time": "Exits turn at most {risk:%} of the decisions from right to wrong, counted separately for early and for late exits; the chance that this promise is wrong is {delta:%}."
    }
  },
  "macs_per_burst": {
    "105x120": 451900,
    "210x240": 1316088
  }
};
