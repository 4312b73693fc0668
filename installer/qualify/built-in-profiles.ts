/**
 * As a profile's file would have them. Limits of the hardware's own (speeds, temperatures) are not in them: those are
 * written down for each model.
 */
export const builtInProfiles = {
  /** Minutes. */
  quick: {
    name: "quick",
    items: {
      "network-links": {},
      "network-peer": {},
      "network-bonds": {},
      compute: { required: true, duration: "60 s" },
      memory: { required: true, duration: "60 s", percent: 50 },
      "disk-io": { required: true, size: "256 MiB", duration: "20 s" },
      "disk-health": {},
      "disk-arrays": {},
      virtualization: {},
      clock: { duration: "10 s" },
      inventory: { required: true },
    },
  },
  /** Hours. */
  full: {
    name: "full",
    items: {
      "network-links": { required: true },
      "network-peer": { duration: "10min", pings: 1000 },
      "network-bonds": {},
      compute: { required: true, duration: "1h" },
      memory: { required: true, duration: "1h", percent: 85 },
      "disk-io": { required: true, size: "8 GiB", duration: "30min" },
      "disk-health": { required: true },
      "disk-arrays": { check: true },
      virtualization: {},
      clock: { required: true, duration: "5min" },
      inventory: { required: true, maxDevicesWithoutDriver: 0 },
    },
  },
} as const;
