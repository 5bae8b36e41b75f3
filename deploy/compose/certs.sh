#!/usr/bin/env bash
# An authority of your own for the broker, and certificates whose common name is who somebody is there (see mosquitto/acl).
#
#   deploy/compose/certs.sh broker NAME…     the broker's, for the names and addresses that it is reached at
#   deploy/compose/certs.sh device NAME…     one a device
#   deploy/compose/certs.sh operator         may send orders to every device
#   deploy/compose/certs.sh viewer           may read everything
#   deploy/compose/certs.sh revoke NAME      no longer let in, once the broker was told: docker compose kill -s HUP mosquitto
#
# All of it lies in secrets/ beside this script (or in $ROADMASK_SECRETS): keep ca-key.pem off the devices and off the broker's
# machine. What is there already stays, so that a command may be repeated. Certificates hold two years ($DAYS).
set -euo pipefail
umask 077
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
secrets=${ROADMASK_SECRETS:-$here/secrets}
days=${DAYS:-730}

fail() {
  printf '%s\n' "$@" >&2
  exit 1
}

main() {
  local what=${1:-} name
  if [[ $what == '' || $what == --help ]]; then
    sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
    return
  fi
  shift
  mkdir -p "$secrets/issued"
  cd "$secrets"
  authority
  case $what in
    broker)
      if (($# == 0)); then fail 'Expected the names or addresses that the broker is reached at, such as: broker mqtt.example.com 192.168.1.5'; fi
      issue broker broker "serverAuth" "$(alternatives "$@")"
      revocations
      own 1883 broker # Mosquitto's user in its image
      ;;
    device)
      if (($# == 0)); then fail 'Expected names of devices, such as: device jetson01 jetson02'; fi
      for name in "$@"; do
        [[ $name =~ ^[A-Za-z0-9._-]{1,64}$ ]] || fail "Expected a device's name of letters, digits, '.', '_' and '-', found \"$name\"."
        case $name in
          . | .. | fleet | group | operator | viewer | broker) fail "A device cannot be named \"$name\": that is somebody else at the broker." ;;
        esac
        issue "devices/$name" "$name" "clientAuth"
        own 10001 "devices/$name" # the agent's user in its images
      done
      ;;
    operator | viewer) issue "$what" "$what" "clientAuth" ;;
    revoke)
      name=${1:?Expected the name of a device, operator or viewer.}
      [[ -f issued/$name.pem ]] || fail "Expected somebody who has a certificate, found no issued/$name.pem in $secrets."
      openssl ca -config openssl.cnf -revoke "issued/$name.pem" -batch 2>&1 | tail -n 1
      rm -rf "devices/$name"
      revocations
      own 1883 broker
      ;;
    *) fail "Expected broker, device, operator, viewer or revoke, found \"$what\". --help tells more." ;;
  esac
}

# The authority, with the small data base that openssl needs to revoke.
authority() {
  if [[ -f ca.pem ]]; then return; fi
  cat >openssl.cnf <<'EOF'
[ca]
default_ca = ours
[ours]
dir = .
new_certs_dir = ./issued
database = ./index.txt
serial = ./serial
crlnumber = ./crlnumber
certificate = ./ca.pem
private_key = ./ca-key.pem
default_md = sha256
default_crl_days = 3650
unique_subject = no
policy = name_only
[name_only]
commonName = supplied
[authority]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
EOF
  : >index.txt
  echo 1000 >serial
  echo 1000 >crlnumber
  openssl ecparam -name prime256v1 -genkey -noout -out ca-key.pem
  openssl req -new -x509 -key ca-key.pem -days 7300 -subj '/CN=Roadmask authority' -config <(printf '[req]\ndistinguished_name=n\n[n]\n'; cat openssl.cnf) \
    -extensions authority -out ca.new
  mv ca.new ca.pem
}

# issue FOLDER NAME USE [SAN]: key, certificate and authority in FOLDER.
issue() {
  local folder=$1 name=$2 use=$3 names=${4:-}
  if [[ -f $folder/cert.pem ]]; then
    echo "$folder: is there already"
    return
  fi
  mkdir -p "$folder"
  openssl ecparam -name prime256v1 -genkey -noout -out "$folder/key.pem"
  openssl req -new -key "$folder/key.pem" -subj "/CN=$name" -config <(printf '[req]\ndistinguished_name=n\n[n]\n') -out "$folder/request.pem"
  printf '%s\n' 'basicConstraints=CA:FALSE' 'keyUsage=critical,digitalSignature' "extendedKeyUsage=$use" ${names:+"subjectAltName=$names"} >"$folder/extensions"
  openssl ca -config openssl.cnf -batch -notext -days "$days" -extfile "$folder/extensions" -in "$folder/request.pem" -out "$folder/cert.new" 2>"$folder/log" ||
    fail "openssl could not sign for $name:" "$(cat "$folder/log")"
  cp "$folder/cert.new" "issued/$name.pem"
  cp ca.pem "$folder/ca.pem"
  mv "$folder/cert.new" "$folder/cert.pem"
  rm "$folder/request.pem" "$folder/extensions" "$folder/log"
  echo "$folder: ca.pem, cert.pem and key.pem for $name"
}

revocations() {
  mkdir -p broker
  openssl ca -config openssl.cnf -gencrl -out broker/crl.new 2>/dev/null
  mv broker/crl.new broker/crl.pem
}

alternatives() {
  local name kind list=()
  for name in "$@"; do
    kind=DNS
    if [[ $name =~ ^[0-9.]+$ || $name == *:* ]]; then kind=IP; fi
    list+=("$kind:$name")
  done
  (
    IFS=,
    echo "${list[*]}"
  )
}

# Gives a folder to the user that reads it inside a container, where we may.
own() { if ((EUID == 0)); then chown -R "$1:$1" "$2"; fi; }

main "$@"
