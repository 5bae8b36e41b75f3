#!/usr/bin/env bash
# In the place of docker and mv on the path of roadmask-image: counts what changes something, and at the one that KILL_AT names
# kills the whole group, as a power cut would: before it happens, or after.
program=$(basename "$0")
case $program-${1:-} in
  docker-pull | docker-run | docker-stop | docker-rm | mv-*)
    count=$(($(cat "$KILL_COUNT" 2>/dev/null || echo 0) + 1))
    echo "$count" >"$KILL_COUNT"
    if [[ $count == "$KILL_AT" ]]; then
      printf '%s %s' "$program" "$(printf '%s ' "$@" | grep -oE 'pull|run|stop|rm|[a-z-]+(\.json)?$' | head -n 1)" >"$KILL_COUNT.step"
      if [[ $program == mv ]]; then basename "${*: -1}" >>"$KILL_COUNT.step"; fi
      if [[ $KILL_WHEN == after ]]; then "$KILL_REAL/$program" "$@"; fi
      kill -KILL 0
    fi
    ;;
esac
exec "$KILL_REAL/$program" "$@"
