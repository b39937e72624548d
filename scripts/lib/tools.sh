# Installs the programs that the tests call, where they are missing, and says where they are.
#
# To be sourced. tools_ensure exports QMTEST_PYTHON, QMTEST_CHROMEDRIVER and QMTEST_ZBARIMG. The Python environment
# lies under target/, the rest is installed for the whole machine. Nothing is written to standard output.
# shellcheck shell=bash

tools_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

if ! declare -F ensure_package >/dev/null; then
  # shellcheck source=scripts/lib/services.sh
  . "$tools_root/scripts/lib/services.sh"
fi

tools_ensure() {
  ensure_package chromium chromium || return 1
  ensure_package chromedriver chromium-driver || return 1
  ensure_package has_font fonts-dejavu-core || return 1
  ensure_package zbarimg zbar-tools || return 1
  # Debian ships Python without what makes environments.
  ensure_package can_make_venv python3 python3-venv || return 1
  ensure_venv "$tools_root/target/test-tools/venv" || return 1
  ensure_nextest || return 1
  export QMTEST_PYTHON=$tools_root/target/test-tools/venv/bin/python
  QMTEST_CHROMEDRIVER=$(command -v chromedriver)
  QMTEST_ZBARIMG=$(command -v zbarimg)
  export QMTEST_CHROMEDRIVER QMTEST_ZBARIMG
}

has_font() {
  [ -e /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf ]
}

can_make_venv() {
  python3 -c 'import ensurepip, venv' 2>/dev/null
}

# ensure_venv FOLDER: the second implementations of JWT and of Standard Webhooks that the tests check ours against.
ensure_venv() {
  local venv=$1
  if has_libraries "$venv"; then return 0; fi
  printf 'making the Python environment of the tests\n' >&2
  python3 -m venv --clear "$venv" </dev/null >&2 || return 1
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check 'pyjwt[crypto]>=2.8,<3' \
    'standardwebhooks>=1,<2' </dev/null >&2 || return 1
  has_libraries "$venv"
}

has_libraries() {
  "$1/bin/python" -c 'import jwt, cryptography, standardwebhooks' 2>/dev/null
}

ensure_nextest() {
  if cargo nextest --version >/dev/null 2>&1; then return 0; fi
  printf 'installing cargo-nextest\n' >&2
  cargo install cargo-nextest --locked </dev/null >&2
}
