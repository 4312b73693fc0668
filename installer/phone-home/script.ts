/**
 * What the installed server runs until its report is accepted. It needs sh, curl, systemd and OpenSSH, neither cloud-init nor Python, for
 * the user's first-boot script may purge cloud-init while it runs. It is one constant: whatever differs between servers
 * lies in files beside it. All of it is in functions, so that the shell has read it before it removes itself.
 */
export const phoneHomeScript = `#!/bin/sh
# Tells the operator that this server can be logged in to, then removes itself. Written by Metalcast's installer.
set -u
umask 077
directory=\${0%/*}
unit=metalcast-phone-home.service
seen=$directory/cloud-init-seen
result=/run/cloud-init/result.json
LC_ALL=C
export LC_ALL

log() {
  echo "metalcast: phone home $*"
}

# The text of a JSON string.
quote() {
  printf '"%s"' "$(printf %s "$1" | tr -d '\\000-\\037' | sed 's/[\\\\"]/\\\\&/g')"
}

# dash remembers where it found a program, even when it is gone.
installed() {
  path=$(command -v "$1") && [ -x "$path" ]
}

wait_for() {
  "$1" && return
  log "waits: $2"
  until "$1"; do sleep 2; done
}

# A script that stops cloud-final.service on its way goes on alone (KillMode=process). The brackets keep grep from finding itself.
first_boot_script_runs() {
  grep -qs '[/]var/lib/cloud/.*scripts/' /proc/[0-9]*/cmdline
}

# The unit's job and state outlive its file: systemd still knows them when the package is gone, until its process has ended.
cloud_init_settled() {
  if installed cloud-init; then : >"$seen"; fi
  state=$(systemctl show --property=Job --property=ActiveState cloud-final.service) || return 1
  case $state in
    *Job=[1-9]* | *ActiveState=activating* | *ActiveState=deactivating* | *ActiveState=reloading*) return 1 ;;
  esac
  ! first_boot_script_runs
}

cloud_init_outcome() {
  if ! installed cloud-init; then
    if [ -e "$seen" ]; then echo removed; else echo absent; fi
  elif [ -e "$result" ]; then
    if tr -d ' \\n' <"$result" | grep -q '"errors":\\[\\]'; then echo done; else echo error; fi
  elif [ -e /run/cloud-init/enabled ]; then
    echo unknown
  else
    echo disabled
  fi
}

logins_allowed() {
  ! [ -e /run/nologin ]
}

# What sshd -T says of a keyword, which newer ones do not write in small letters.
sshd_setting() {
  sshd -T 2>/dev/null | sed -n "s/^$1 //Ip"
}

# Every address it listens on, as 0.0.0.0:22 and [::]:22; without /run/sshd (socket activation) it names none.
sshd_addresses() {
  sshd_setting listenaddress | sed 's/^0\\.0\\.0\\.0:/127.0.0.1:/; s/^\\[::\\]:/[::1]:/'
}

# ssh-keyscan belongs to the client, which need not be there: a socket that listens (proc(5): 0A) and the keys' own files
# then tell as much.
host_keys() {
  if command -v ssh-keyscan >/dev/null; then
    ssh-keyscan -T 5 -p "$2" "$1" 2>/dev/null | ssh-keygen -lf - 2>/dev/null
  elif grep -Eqs ": [0-9A-F]+:$(printf %04X "$2") [0-9A-F]+:0000 0A " /proc/net/tcp /proc/net/tcp6; then
    for key in $(sshd_setting hostkey); do ssh-keygen -lf "$key.pub" 2>/dev/null; done
  fi
}

sshd_answers() {
  installed sshd || return 0
  addresses=$(sshd_addresses)
  for address in \${addresses:-127.0.0.1:22}; do
    host=\${address%:*}
    host=\${host#[}
    fingerprints=$(host_keys "\${host%]}" "\${address##*:}" | cut -d ' ' -f 2)
    [ -n "$fingerprints" ] && return
  done
  return 1
}

report() {
  read -r uptime _ </proc/uptime
  read -r boot_id </proc/sys/kernel/random/boot_id
  keys=
  for fingerprint in $fingerprints; do keys="$keys\${keys:+,}$(quote "$fingerprint")"; done
  if installed sshd; then sshd=answers; else sshd=absent; fi
  printf '{"version":1,"instanceId":%s,"hostname":%s,"sshd":"%s","sshHostKeys":[%s],"cloudInit":"%s","bootSeconds":%s,"bootId":"%s"}' \\
    "$(quote "$(cat "$directory/instance-id")")" "$(quote "$(uname -n)")" "$sshd" "$keys" "$(cloud_init_outcome)" "$uptime" "$boot_id"
}

# Address and token are in the configuration file, the report comes by a pipe: nothing shows in the list of processes.
post() {
  printf %s "$1" | curl --disable --config "$directory/request" --data-binary @- --header 'Content-Type: application/json' \\
    --proto =http,https --globoff --silent --output /dev/null --write-out '%{http_code}' --connect-timeout 10 --max-time 30
}

# Half of the delay, and a random part of the other half, so that a rack that boots at once does not call at once.
with_jitter() {
  random=$(od -An -N2 -tu2 /dev/urandom)
  echo $(($1 / 2 + random % ($1 - $1 / 2 + 1)))
}

remove_itself() {
  rm -f "/etc/systemd/system/multi-user.target.wants/$unit" "/etc/systemd/system/$unit"
  rm -rf "$directory"
  systemctl daemon-reload
}

main() {
  fingerprints=
  wait_for cloud_init_settled "cloud-init is at work"
  wait_for logins_allowed "logins are not allowed yet"
  wait_for sshd_answers "sshd does not answer"
  body=$(report)
  delay=1
  while :; do
    status=$(post "$body")
    case $status in
      2??)
        log "accepted"
        remove_itself
        exit
        ;;
      # The token is spent: an earlier report was accepted and its answer lost.
      410)
        log "was accepted before"
        remove_itself
        exit
        ;;
      '' | 000 | 408 | 425 | 429 | 5??) ;;
      *)
        log "refused (HTTP $status), next attempt at the next boot"
        exit 1
        ;;
    esac
    pause=$(with_jitter "$delay")
    log "failed (HTTP $status), next attempt in $pause s"
    sleep "$pause"
    delay=$((delay * 2 > 120 ? 120 : delay * 2))
  done
}

main
`;
