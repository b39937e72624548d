# Starts and stops a PostgreSQL and a Redis of our own for tests, and installs what is missing for that.
#
# To be sourced. A caller sets `trap services_stop EXIT`, then calls services_start, which exports
# QMTEST_POSTGRES_URL and QMTEST_REDIS_URL. Both servers live in a temporary folder, listen on free ports of
# 127.0.0.1 only, and keep what they commit (fsync on, append-only file). A cluster or service that the Debian
# packages set up themselves is neither used nor touched. Nothing is written to standard output.
# shellcheck shell=bash

SERVICES_TIMEOUT_S=30
SERVICES_START_TRIES=3
POSTGRES_OLDEST_MAJOR=15
REDIS_OLDEST_MAJOR=7

services_folder=''
services_postgres_pid=''
services_redis_pid=''
services_started_pid=''
packages_are_listed=false

# ensure_package TEST PACKAGE...: installs the Debian packages unless TEST holds. TEST is a function of ours that is
# then called, or else a command that must exist.
ensure_package() {
  local test=$1
  shift
  if is_there "$test"; then return 0; fi
  printf 'installing %s\n' "$*" >&2
  if ! command -v apt-get >/dev/null; then
    printf 'error: %s is missing and there is no apt-get; install what Debian calls: %s\n' "$test" "$*" >&2
    return 1
  fi
  if ! install_packages "$@"; then
    printf 'error: cannot install %s; install it as root, then run this again\n' "$*" >&2
    return 1
  fi
  hash -r
  if ! is_there "$test"; then
    printf 'error: %s is still missing after installing %s\n' "$test" "$*" >&2
    return 1
  fi
}

is_there() {
  if declare -F "$1" >/dev/null; then "$1"; else command -v "$1" >/dev/null; fi
}

install_packages() {
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      printf 'error: not root, and there is no sudo\n' >&2
      return 1
    fi
    as_root=(sudo)
  fi
  if ! $packages_are_listed; then
    # Stale lists may still do; if not, the installation says so.
    "${as_root[@]}" apt-get update -qq </dev/null >&2 || printf 'warning: apt-get update failed\n' >&2
    packages_are_listed=true
  fi
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "$@" </dev/null >&2
}

# Prints the folder of the newest PostgreSQL server programs. The PATH is not asked: it may hold something else under
# the same name.
postgres_bin() {
  local newest
  newest=$(printf '%s\n' /usr/lib/postgresql/*/bin/postgres | sort -V | tail -n 1)
  [ -x "$newest" ] && dirname "$newest"
}

has_postgres() {
  local bin major
  bin=$(postgres_bin) || return 1
  major=${bin#/usr/lib/postgresql/}
  major=${major%%/*}
  [ "${major%%.*}" -ge "$POSTGRES_OLDEST_MAJOR" ] && [ -x "$bin/initdb" ] && [ -x "$bin/pg_isready" ]
}

has_redis() {
  local version
  command -v redis-cli >/dev/null || return 1
  version=$(redis-server --version 2>/dev/null) || return 1
  version=${version#*v=}
  [ "${version%%.*}" -ge "$REDIS_OLDEST_MAJOR" ]
}

# Prints a port of 127.0.0.1 that nobody answers on. It lies below the range from which systems take ports for
# outgoing connections. Somebody may take it before we do, so starting is tried more than once.
free_port() {
  local port
  while true; do
    port=$((10240 + (RANDOM * 32768 + RANDOM) % 22000))
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      printf '%s\n' "$port"
      return 0
    fi
  done
}

# Starts both servers and exports their URLs.
services_start() {
  if [ -n "$services_folder" ]; then
    printf 'error: the services are started already\n' >&2
    return 1
  fi
  ensure_package has_postgres postgresql postgresql-client || return 1
  ensure_package has_redis redis-server redis-tools || return 1
  services_folder=$(mktemp -d "${TMPDIR:-/tmp}/quartermaster-services.XXXXXX") || return 1
  # The user that PostgreSQL runs as has to get through to its own folder.
  chmod 711 "$services_folder" || return 1
  start_postgres || return 1
  start_redis || return 1
}

# Stops what services_start started, also if that failed half-way, and removes the folder. Says nothing.
services_stop() {
  if [ -z "$services_folder" ]; then return 0; fi
  stop_postgres
  stop_redis
  rm -rf "$services_folder" 2>/dev/null || true
  services_folder=''
  unset QMTEST_POSTGRES_URL QMTEST_REDIS_URL
}

# start_server LOG COMMAND...: starts it beside us and leaves its id in services_started_pid.
start_server() {
  local log=$1
  shift
  # PostgreSQL's user may not enter the folder we are in.
  (cd "$services_folder" && exec "$@") </dev/null >>"$log" 2>&1 &
  services_started_pid=$!
  # The shell shall not announce its end.
  disown "$services_started_pid"
}

# stop_server PID SIGNAL: returns when the process is gone.
stop_server() {
  local deadline=$((SECONDS + SERVICES_TIMEOUT_S))
  kill -s "$2" "$1" 2>/dev/null || return 0
  while kill -0 "$1" 2>/dev/null; do
    if [ "$SECONDS" -ge "$deadline" ]; then kill -s KILL "$1" 2>/dev/null || true; fi
    sleep 0.05
  done
}

start_postgres() {
  local folder=$services_folder/postgres log=$services_folder/postgres.log bin port try as_user=()
  bin=$(postgres_bin) || return 1
  mkdir -m 700 "$folder" || return 1
  if [ "$(id -u)" -eq 0 ]; then
    # The server refuses to run as root; Debian's package made a user for it.
    chown postgres: "$folder" || return 1
    as_user=(setpriv --reuid=postgres --regid=postgres --init-groups --)
  fi
  if ! (cd "$services_folder" && "${as_user[@]}" "$bin/initdb" --pgdata="$folder/data" --username=postgres \
    --auth=trust --encoding=UTF8 --locale=C.UTF-8) </dev/null >"$log" 2>&1; then
    not_started PostgreSQL "$log"
    return 1
  fi
  cat >>"$folder/data/postgresql.conf" <<CONFIGURATION || return 1
listen_addresses = '127.0.0.1'
unix_socket_directories = '$folder'
max_connections = 300
fsync = on
full_page_writes = on
synchronous_commit = on
CONFIGURATION
  for ((try = 1; try <= SERVICES_START_TRIES; try++)); do
    port=$(free_port)
    start_server "$log" "${as_user[@]}" "$bin/postgres" -D "$folder/data" -p "$port"
    services_postgres_pid=$services_started_pid
    if postgres_answers "$bin" "$folder" "$port"; then
      export QMTEST_POSTGRES_URL="postgres://postgres@127.0.0.1:$port/postgres"
      return 0
    fi
    stop_postgres
  done
  not_started PostgreSQL "$log"
  return 1
}

# Asks by the socket in our own folder, where no other server can answer, and then by the port.
postgres_answers() {
  local bin=$1 folder=$2 port=$3 deadline=$((SECONDS + SERVICES_TIMEOUT_S))
  while kill -0 "$services_postgres_pid" 2>/dev/null && [ "$SECONDS" -lt "$deadline" ]; do
    if "$bin/pg_isready" -q -h "$folder" -p "$port" -U postgres -d postgres 2>/dev/null; then
      "$bin/pg_isready" -q -h 127.0.0.1 -p "$port" -U postgres -d postgres
      return
    fi
    sleep 0.1
  done
  return 1
}

stop_postgres() {
  if [ -z "$services_postgres_pid" ]; then return 0; fi
  # SIGQUIT is the immediate shutdown: its folder goes with it, so there is nothing to be put in order first, which
  # takes minutes after many tests.
  stop_server "$services_postgres_pid" QUIT
  services_postgres_pid=''
}

start_redis() {
  local folder=$services_folder/redis log=$services_folder/redis.log port try
  mkdir -m 700 "$folder" || return 1
  for ((try = 1; try <= SERVICES_START_TRIES; try++)); do
    port=$(free_port)
    start_server "$log" redis-server --port "$port" --bind 127.0.0.1 --daemonize no --dir "$folder" --save '' \
      --appendonly yes --appendfsync everysec
    services_redis_pid=$services_started_pid
    if redis_answers "$port"; then
      export QMTEST_REDIS_URL="redis://127.0.0.1:$port/"
      return 0
    fi
    stop_redis
  done
  not_started Redis "$log"
  return 1
}

# Waits until the server that answers is the one we started: if the port was taken, another one would.
redis_answers() {
  local port=$1 deadline=$((SECONDS + SERVICES_TIMEOUT_S))
  while kill -0 "$services_redis_pid" 2>/dev/null && [ "$SECONDS" -lt "$deadline" ]; do
    if [ "$(timeout 2 redis-cli -h 127.0.0.1 -p "$port" ping 2>/dev/null)" = PONG ]; then
      timeout 2 redis-cli -h 127.0.0.1 -p "$port" info server | tr -d '\r' \
        | grep -Fx "process_id:$services_redis_pid" >/dev/null
      return
    fi
    sleep 0.1
  done
  return 1
}

stop_redis() {
  if [ -z "$services_redis_pid" ]; then return 0; fi
  stop_server "$services_redis_pid" TERM
  services_redis_pid=''
}

# not_started NAME LOG
not_started() {
  printf 'error: %s did not start; the end of its log:\n' "$1" >&2
  tail -n 20 "$2" >&2 || true
}
