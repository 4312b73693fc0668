import type { Check } from "../check.ts";
import type { ItemName, Settings } from "../profile.ts";
import { clock } from "./clock.ts";
import { compute } from "./compute.ts";
import { diskArrays } from "./disk-arrays.ts";
import { diskHealth } from "./disk-health.ts";
import { diskIo } from "./disk-io.ts";
import { inventory } from "./inventory.ts";
import { memory } from "./memory.ts";
import { networkBonds } from "./network-bonds.ts";
import { networkLinks } from "./network-links.ts";
import { networkPeer } from "./network-peer.ts";
import { virtualization } from "./virtualization.ts";

/** All that can be qualified, by the item's name. */
export const checks: { [Name in ItemName]: Check<Settings<Name>> } = {
  "network-links": networkLinks,
  "network-peer": networkPeer,
  "network-bonds": networkBonds,
  compute,
  memory,
  "disk-io": diskIo,
  "disk-health": diskHealth,
  "disk-arrays": diskArrays,
  virtualization,
  clock,
  inventory,
};
