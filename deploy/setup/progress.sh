# How set-up talks: one line a step with the time it took, a live line on a terminal, plain lines elsewhere.
# Everything goes to standard error, so that a program's own output (`npm run doctor -- --json`) stays clean.
# shellcheck shell=bash

exec 3>&2 # what people read; a step's own output goes into its log

live=false
columns=80
if [[ -t 2 && ${TERM:-dumb} != dumb && -z ${CI:-} ]]; then
  live=true
  columns=$(stty size <&2 2>/dev/null | cut -d' ' -f2 || true)
  if ((${columns:-0} < 40)); then columns=80; fi
fi

say() { printf '%s\n' "$@" >&3; }

# Ends set-up before any step has begun.
die() {
  say "$@"
  exit 1
}

# What a step is doing at the moment, for the live line.
detail() { printf '%s' "$1" >"$work/detail"; }

# Something a person should know, in its own line whether the output is live or not.
note() {
  if $live; then printf '\r\033[K' >&3; fi
  say "      $1"
}

# Ends a step with a reason in words; every other failure shows the end of the step's log instead.
fail() {
  printf '%s\n' "$@" | sed '/^$/d' >"$work/reason"
  exit 1
}

seconds() {
  if (($1 < 60)); then printf '%d s' "$1"; else printf '%d min %d s' $(($1 / 60)) $(($1 % 60)); fi
}

# The live line of a step: what it does, how much of a download is here, for how long. Ends with the set-up itself.
tick() {
  local title=$1 started=$SECONDS line parts said=0
  while kill -0 $$ 2>/dev/null; do
    line=$(cat "$work/detail" 2>/dev/null || true)
    if [[ -s $work/fetching ]]; then line+=${line:+, }$(fetched); fi
    if [[ -s $work/apt ]]; then line+=${line:+, }$(installed); fi
    parts="$title${line:+: $line}"
    if $live; then
      printf '\r\033[K%s, %s' "${parts:0:$((columns - 12))}" "$(seconds $((SECONDS - started)))" >&3
      sleep 0.5 3>&-
    else
      if ((SECONDS - started >= said + 30)); then
        said=$((SECONDS - started))
        say "      ${line:+$line, }$(seconds "$said") so far"
      fi
      sleep 1 3>&-
    fi
  done
}

# "120 of 274 MB", from the size of the folder that a download grows in; $work/fetching holds that folder and the MB expected.
fetched() {
  local folder total have
  { read -r total && read -r folder; } <"$work/fetching" || return 0
  have=$(du -s --block-size=1000000 --apparent-size "$folder" 2>/dev/null | cut -f1)
  if ((${have:-0} > total)); then have=$total; fi
  printf '%d of %d MB' "${have:-0}" "$total"
}

# Runs a command until it succeeds, at most four times, waiting longer each time. Gives up at once where its output
# (from the log's present end on) matches the first argument: trying again would not help there.
retry() {
  local hopeless=$1 waits=(2 6 18) attempt mark status
  shift
  for attempt in 0 1 2 3; do
    mark=$(stat -c %s "$log")
    status=0
    "$@" || status=$?
    if ((status == 0)); then return 0; fi
    if [[ -n $hopeless ]] && tail -c "+$((mark + 1))" "$log" | grep -qE -- "$hopeless"; then return "$status"; fi
    if ((attempt == 3)) || ! network_is_up; then return "$status"; fi
    note "attempt $((attempt + 1)) of 4 failed, trying again in ${waits[attempt]} s: $(first_error "$mark")"
    sleep "${waits[attempt]}"
  done
}

# The first line of the log after byte $1 that tells of an error, else its last line.
first_error() {
  tail -c "+$(($1 + 1))" "$log" | awk 'NF { last = $0 } /[Ee]rror|ERR|[Ff]ailed|[Cc]ould not/ && !told { told = $0 } END { print substr(told ? told : last, 1, 150) }'
}

# Whether this machine has a route to anywhere; without one there is no point in trying again.
network_is_up() {
  [[ $(wc -l 2>/dev/null </proc/net/route) -gt 1 ]] || grep -qv ' lo$' /proc/net/ipv6_route 2>/dev/null
}

offline_hint() { network_is_up || printf 'This machine has no network. '; }

# Runs the step named $1 as number $2 of $3 and leaves its exit code in step_status. Its output goes into a log; the last
# lines are shown where it fails. Not to be called in a condition: there bash ignores `set -e`, in subshells too.
run_step() {
  local step=$1 head started=$SECONDS ticker
  head="[$2/$3] $("$1_title")"
  log=.setup/log/$step.log
  rm -f "$work"/{detail,reason,fetching,apt}
  : >"$log"
  if ! $live; then say "$head"; fi
  tick "$head" >/dev/null 2>&1 9>&- &
  ticker=$!
  set +e
  (
    set -e
    "${step}_make"
  ) >"$log" 2>&1
  step_status=$?
  set -e
  kill "$ticker" 2>/dev/null || true
  wait "$ticker" 2>/dev/null || true
  if $live; then printf '\r\033[K' >&3; fi
  if ((step_status == 0)); then
    if $live; then say "$head, $(seconds $((SECONDS - started)))"; else say "      done in $(seconds $((SECONDS - started)))"; fi
    return
  fi
  if $live; then say "$head"; fi
  if [[ -s $work/reason ]]; then
    sed 's/^/      /' "$work/reason" >&3
  else
    tail -n 20 "$log" | sed 's/^/      | /' >&3
    say "      Failed after $(seconds $((SECONDS - started))); all of its output is in $log"
  fi
}
