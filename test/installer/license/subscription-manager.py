#!/usr/bin/python3 -E
"""Stands in for subscription-manager: what it is asked, what it leaves behind, and the ways in which the real one fails.

Options, messages and exit codes are those of https://github.com/candlepin/subscription-manager (cli_command/register.py,
cli_command/cli.py, exceptions.py). /etc/stand-in.json says how the server behaves; /var/lib/stand-in.json gets what was seen.
"""
import argparse
import configparser
import hashlib
import json
import os
import pathlib
import sys
import time

consumer = pathlib.Path("/etc/pki/consumer")
server = json.loads(pathlib.Path("/etc/stand-in.json").read_text())


def end(code, message):
    print(message, file=sys.stderr)
    sys.exit(code)


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest() if text is not None else None


def all_processes(name):
    return {path.parent.name: path.read_bytes().replace(b"\0", b" ").decode() for path in pathlib.Path("/proc").glob(f"[0-9]*/{name}")}


def note(command, **facts):
    place = pathlib.Path("/var/lib/stand-in.json")
    seen = json.loads(place.read_text()) if place.exists() else []
    seen.append({"command": command, **facts})
    place.write_text(json.dumps(seen))


def configuration():
    parser = configparser.ConfigParser()
    parser.read("/etc/rhsm/rhsm.conf")
    return {section: dict(parser[section]) for section in parser.sections()}


def make_consumer():
    consumer.mkdir(parents=True, exist_ok=True)
    for name in ["key.pem", "cert.pem"]:
        (consumer / name).write_text("-----BEGIN\n")
        (consumer / name).chmod(0o640)


def register(words):
    parser = argparse.ArgumentParser()
    for option in ["--name", "--org", "--activationkey", "--username", "--password"]:
        parser.add_argument(option)
    options, unknown = parser.parse_known_args(words)
    if unknown:
        end(64, f"subscription-manager: error: no such option: {' '.join(unknown)}")
    settings = configuration()
    proxy_password = settings.get("server", {}).pop("proxy_password", None)
    note(
        "register",
        name=options.name,
        org=options.org,
        username=options.username,
        key=digest(options.activationkey),
        password=digest(options.password),
        proxyPassword=digest(proxy_password),
        configuration=settings,
        commandLines=all_processes("cmdline"),
        environments=all_processes("environ"),
        input=sys.stdin.read(),
        links=sorted(os.listdir("/sys/class/net")),
    )
    if (consumer / "cert.pem").exists():
        end(64, "This system is already registered. Use --force to override")
    if options.activationkey and not options.org:
        end(64, "Error: Must provide --org with activation keys.")
    if not options.activationkey and not (options.username and options.password):
        end(64, "Error: --username is a required parameter in non-interactive mode.")
    print(f"Registering with {options.activationkey or options.password}")
    if server["half"]:
        make_consumer()
    if server["waits"]:
        print("waiting", flush=True)
        time.sleep(600)
    if server["exit"]:
        end(server["exit"], server["says"])
    make_consumer()
    print("The system has been registered with ID: 3f5d5b3c")


def unregister():
    note("unregister", registered=(consumer / "cert.pem").exists())
    if not (consumer / "cert.pem").exists():
        end(1, "This system is currently not registered.")
    if server["unreachable"]:
        end(69, "Unable to reach the server at subscription.rhsm.redhat.com:443/subscription")
    clean()
    print("System has been unregistered.")


def clean():
    for name in ["key.pem", "cert.pem"]:
        (consumer / name).unlink(missing_ok=True)


if __name__ == "__main__":
    command, *words = sys.argv[1:]
    if command == "register":
        register(words)
    elif command == "unregister":
        unregister()
    elif command == "identity":
        if not (consumer / "cert.pem").exists():
            end(1, "This system is not yet registered. Try 'subscription-manager register --help' for more information.")
    elif command == "clean":
        note("clean")
        clean()
        print("All local data removed")
    else:
        end(1, f"Usage: subscription-manager MODULE-NAME, and not {command}")
