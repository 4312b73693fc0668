import type { Command } from "../step.ts";

/**
 * subscription-manager takes passwords and activation keys as arguments alone, in all versions: without a terminal it asks for
 * nothing (subscription_manager/cli_command/user_pass.py, `_get_username_and_password`,
 * https://github.com/candlepin/subscription-manager), and its D-Bus interface wants services that do not run here. It is a Python
 * program: it gets its arguments inside of Python, from standard input, and the list of processes shows none of them. Its
 * logging keeps what the command line was when it was loaded (rhsm/logutil.py, `ContextLoggingFilter`). It reads with Python 2.7
 * of RHEL 7 and with 3.
 */
const launcher = `
import json, os, runpy, sys
program = sys.argv[1]
words = json.load(sys.stdin)
if sys.version_info[0] < 3:
    words = [word.encode("utf-8") for word in words]
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
sys.argv = [program]
try:
    import rhsm.logutil
except ImportError:
    pass
sys.argv = [program] + words
runpy.run_path(program, run_name="__main__")
`;

/** By the interpreter that its first line names: RHEL 8's is no python3 of the system's. */
const starter = `
program=$(command -v subscription-manager) || { echo "subscription-manager is not installed" >&2; exit 127; }
read -r first <"$program"
case $first in
  '#!'*python*) ;;
  *) echo "$program is no Python program" >&2; exit 126 ;;
esac
set -f
# One stream, so that what it says keeps its order.
exec 2>&1 \${first#??} -u -c "$1" "$program"
`;

/** Its standard input is a JSON list of subscription-manager's arguments. */
export const rhsmCommand: Command = ["sh", "-euc", starter, "subscription-manager", launcher];
