"""Reads event files with TensorBoard's own Python package, as it does itself.

    python tensorboard_read.py FOLDER

Prints one JSON object a line: of every file how many records it has, each held to its checksums, then what TensorBoard
shows of the folder: the steps of every tag. After each line that comes on its input it looks again, as one that runs
does, and says what it shows then.
"""

import json
import pathlib
import sys

from tensorboard.backend.event_processing import event_accumulator
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New
from tensorboard.compat.tensorflow_stub import errors
from tensorboard import version


def records(path):
    reader = PyRecordReader_New(str(path))
    count = 0
    while True:
        try:
            reader.GetNext()
        except errors.OutOfRangeError:
            return {"file": path.name, "records": count}
        except errors.DataLossError as error:
            return {"file": path.name, "records": count, "error": str(error)}
        count += 1


def shown(accumulator):
    accumulator.Reload()
    tags = accumulator.Tags()
    # TensorBoard 2 turns old summaries into tensors as it reads.
    steps = {tag: [event.step for event in accumulator.Scalars(tag)] for tag in tags["scalars"]}
    steps |= {tag: [event.step for event in accumulator.Tensors(tag)] for tag in tags["tensors"]}
    steps |= {tag: [event.step for event in accumulator.Histograms(tag)] for tag in tags["histograms"]}
    return {"shown": steps}


def main():
    folder = pathlib.Path(sys.argv[1])
    print(json.dumps({"version": version.VERSION}), flush=True)
    # 0 keeps all of them; by default a sample is kept.
    every = dict.fromkeys(event_accumulator.DEFAULT_SIZE_GUIDANCE, 0)
    accumulator = event_accumulator.EventAccumulator(str(folder), size_guidance=every)
    while True:
        for path in sorted(folder.glob("events.out.tfevents.*")):
            print(json.dumps(records(path)), flush=True)
        print(json.dumps(shown(accumulator)), flush=True)
        if not sys.stdin.readline():
            return


main()
