#!/usr/bin/env bash
# An environment with neural-tangents, for benchmarks/others.py: neural_tangents.sh DIRECTORY
#
# It is apart from that of the package because it holds versions that are known to work together: JAX keeps
# changing, neural-tangents does not. It imports TensorFlow, which is most of the 2.6 GB that this takes.
# Needs Python 3.10, 3.11 or 3.12: PYTHON=python3.11 chooses one.
set -euo pipefail
directory=${1:?say where: neural_tangents.sh DIRECTORY}
# Half an environment is none: others.py looks for its interpreter.
trap 'rm -f "$directory/bin/python"' ERR
"${PYTHON:-python3}" -m venv --clear "$directory"
"$directory/bin/python" -m pip install --quiet --disable-pip-version-check \
    neural-tangents==0.6.5 jax==0.4.30 jaxlib==0.4.30 ml_dtypes==0.5.4 numpy==1.26.4 scipy==1.15.3 \
    tensorflow==2.21.0 tf2jax==0.3.6 frozendict==2.5.1
"$directory/bin/python" -c 'from neural_tangents import stax'
