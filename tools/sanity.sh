#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
#
# ansible-test sanity over the copy of the collection, without a container. Arguments are passed on, e.g.
#   tools/sanity.sh --test validate-modules plugins/modules/vnet.py
# ansible-test's virtual environments go to a cache of their own (a home directory for it) and survive `make clean`.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
bin=$root/.venv-dev/bin
home=${XDG_CACHE_HOME:-$HOME/.cache}/fact8ra.flower/ansible-test

# ansible-test looks in its cache for the get-pip of the pip version that it wants, before it would download one.
source_file=$("$bin/python" -c 'import ansible_test; print(ansible_test.__path__[0])')/_internal/python_requirements.py
pip_version=$(sed -n "s/^ *pip='\([0-9.]*\)',\$/\1/p" "$source_file" | head -n 1)
[ -n "$pip_version" ] || { echo "sanity: no pip version found in $source_file" >&2; exit 1; }
mkdir -p "$home/.ansible/test/cache"
cp .ci/get_pip_stub.py "$home/.ansible/test/cache/get_pip_${pip_version//./_}.py"
ln -sfn "$root/.venv-dev/bin/uv" "$home/.ansible/test/cache/uv"
# A package index that the user has configured holds there too.
[ ! -d "$HOME/.config" ] || ln -sfn "$HOME/.config" "$home/.config"

tools/collection_tree.sh
cd build/ansible_collections/fact8ra/flower
python_version=$("$bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
export PATH=$bin:$PATH LC_ALL=C.UTF-8 HOME=$home
unset ANSIBLE_CONFIG
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
ansible-test sanity --color no --python "$python_version" "$@" 2>&1 | tee "$log" || status=$?

ran=$(grep -c '^Running sanity test ' "$log" || true)
failed=$(sed -n 's/.*The \([0-9]*\) sanity test(s) listed below .* failed.*/\1/p' "$log")
[ "$status" -eq 0 ] || failed=${failed:-1}
echo "$((ran - ${failed:-0})) passed, ${failed:-0} failed"
exit "$status"
