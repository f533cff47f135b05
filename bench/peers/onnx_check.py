"""Holds ONNX files to ONNX's own Python package: its checker, and its reference evaluator.

    python onnx_check.py FOLDER

For each NAME.json of the folder, NAME.onnx is checked in full (with shape inference), and NAME.observed.onnx is
run by onnx.reference on the inputs of the JSON and compared with the outputs in it. Prints one JSON object a case.
"""

import base64
import json
import pathlib
import sys

import numpy
import onnx
import onnx.checker
import onnx.reference


def tensor(stored):
    data = base64.b64decode(stored["data"])
    return numpy.frombuffer(data, dtype=stored["type"]).reshape(stored["dims"])


def compare(found, expected):
    """How many spikes differ, or by how much numbers do at most."""
    if found.shape != expected.shape and found.size != expected.size:
        return {"shape": list(found.shape), "expected": list(expected.shape)}
    found = numpy.asarray(found).reshape(expected.shape)
    if expected.dtype == numpy.uint8:
        return {"differing": int(((found > 0) != (expected > 0)).sum()), "of": int(expected.size)}
    return {"largest": float(numpy.abs(found.astype(numpy.float64) - expected).max(initial=0.0))}


def check(folder, name):
    case = json.loads((folder / f"{name}.json").read_text())
    onnx.checker.check_model(str(folder / f"{name}.onnx"), full_check=True)
    evaluator = onnx.reference.ReferenceEvaluator(str(folder / f"{name}.observed.onnx"))
    feeds = {key: tensor(stored) for key, stored in case["inputs"].items()}
    names = list(case["outputs"])
    found = evaluator.run(names, feeds)
    return {
        key: compare(value, tensor(case["outputs"][key])) for key, value in zip(names, found, strict=True)
    }


def main():
    folder = pathlib.Path(sys.argv[1])
    print(json.dumps({"version": onnx.__version__}), flush=True)
    for path in sorted(folder.glob("*.json")):
        try:
            result = {"name": path.stem, "outputs": check(folder, path.stem)}
        except Exception as error:  # What a file makes these raise is what is asked for.
            result = {"name": path.stem, "error": f"{type(error).__name__}: {error}"}
        print(json.dumps(result), flush=True)


main()
