import { expect, test } from "vitest";
import { Secret } from "../../../common/secret.ts";
import { setIni } from "../../../installer/license/ini.ts";

const text = `# a comment
[server]
# Server hostname:
hostname = one.example.net
port=443
Proxy_Hostname:
no_proxy = a
    b
hostname = twice.example.net

[rhsm]
ca_cert_dir = /etc/rhsm/ca/
repo_ca_cert = %(ca_cert_dir)sredhat-uep.pem
`;

test("keys are set in their sections, and all else stays", () => {
  const settings = {
    server: { hostname: "two.example.net", proxy_hostname: "p", no_proxy: "c", proxy_password: new Secret("50% off") },
    rhsm: {},
    logging: { default_log_level: "INFO" },
  };
  expect(setIni(text, settings)).toBe(`# a comment
[server]
proxy_password = 50%% off
# Server hostname:
hostname = two.example.net
port=443
proxy_hostname = p
no_proxy = c

[rhsm]
ca_cert_dir = /etc/rhsm/ca/
repo_ca_cert = %(ca_cert_dir)sredhat-uep.pem
[logging]
default_log_level = INFO
`);
});

test("a file that is not there is made", () => {
  expect(setIni("", { server: { port: "443" } })).toBe("[server]\nport = 443\n");
});
