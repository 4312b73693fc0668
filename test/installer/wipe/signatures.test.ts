import { expect, test } from "vitest";
import { parseSignatures } from "../../../installer/wipe/signatures.ts";

test("reads wipefs's list, with and without what a format lacks", () => {
  const output = `{
   "signatures": [
      {"device":"sda1", "offset":"0x1000", "type":"linux_raid_member", "uuid":"7a", "label":"host:root"},
      {"device":"sda1", "offset":"0x1fe", "type":"dos", "uuid":null, "label":null},
      {"device":"sdb", "offset":"0x0", "type":"gpt"}
   ]
}`;
  expect([...parseSignatures(output)]).toEqual([
    [
      "sda1",
      [
        { type: "linux_raid_member", offset: 4096, uuid: "7a", label: "host:root" },
        { type: "dos", offset: 510, uuid: "", label: "" },
      ],
    ],
    ["sdb", [{ type: "gpt", offset: 0, uuid: "", label: "" }]],
  ]);
});

test("clean devices have none", () => {
  expect(parseSignatures("").size).toBe(0);
  expect(parseSignatures('{"signatures": []}').size).toBe(0);
});

test("another program's output is no clean device", () => {
  expect(() => parseSignatures("{}")).toThrow();
  expect(() => parseSignatures('{"signatures": [{"device": "sda", "offset": "12", "type": "ext4"}]}')).toThrow();
});
