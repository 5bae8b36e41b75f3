#!/usr/bin/env bash
# Plays a Jetson: a mount namespace with its own /etc, /usr/local, /var/lib, /var/cache and container storage below DIR, and a
# real sshd on a port of loopback.  unshare --mount start.sh DIR PORT
# Real here: sshd, the shell, every file, podman with crun behind the name `docker`. Played: systemctl (which starts and ends
# what a unit names), nvpmodel, the architecture, the NVIDIA runtime.
set -euo pipefail
dir=$1 port=$2
mount --make-rprivate /
# crun refuses a host where both versions of control groups are mounted.
umount /sys/fs/cgroup/unified 2>/dev/null || true
# /var/lib last: it may hold what the others are made of.
for of in /etc /usr/local /var/cache /var/lib; do
  mkdir -p "$dir/files$of" "$dir/work$of"
  mount -t overlay overlay -o "lowerdir=$of,upperdir=$dir/files$of,workdir=$dir/work$of" "$of"
done
mkdir -p "$dir/run" /run/sshd /etc/systemd/system
mount -t tmpfs -o mode=755 none /run/sshd

cat >/etc/containers/containers.conf <<END
[containers]
cgroups = "disabled"
netns = "host"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
END
cat >/etc/containers/storage.conf <<END
[storage]
driver = "overlay"
graphroot = "$dir/storage"
runroot = "$dir/run/storage"
END
cat >/etc/containers/registries.conf <<END
[[registry]]
location = "127.0.0.1"
insecure = true
END
echo '# R36 (release), REVISION: 4.3, GCID: 1, BOARD: generic, EABI: aarch64' >/etc/nv_tegra_release
cp "$(dirname "${BASH_SOURCE[0]}")"/bin/* /usr/local/bin/
echo "$dir" >/etc/played-device
install -m 644 "$dir/authorized_keys" /etc/played-device.keys
ssh-keygen -q -t ed25519 -N '' -f "$dir/host-key"
cat >"$dir/sshd_config" <<END
ListenAddress 127.0.0.1
Port $port
HostKey $dir/host-key
AuthorizedKeysFile /etc/played-device.keys
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
UsePAM no
PrintLastLog no
PidFile none
MaxSessions 100
SetEnv PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin
END
exec "$(type -P sshd)" -D -e -f "$dir/sshd_config"
