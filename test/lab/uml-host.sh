#!/bin/sh
# uml-host.sh SOCKETS "PORT..." COMMAND...   runs User Mode Linux in this network namespace, as its first process: when it ends, all end.
# The guest's side of tap0 is 10.0.2.15; a connection to 10.0.2.2:PORT goes to the socket SOCKETS/PORT.
set -eu
sockets=$1 ports=$2
shift 2
ip link set lo up
ip tuntap add tap0 mode tap
ip address add 10.0.2.2/24 dev tap0
ip link set tap0 up
for port in $ports; do
  socat "TCP-LISTEN:$port,bind=10.0.2.2,fork,nodelay" "UNIX-CONNECT:$sockets/$port" 2>/dev/null &
done
"$@" </dev/null
