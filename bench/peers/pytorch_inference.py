"""The networks of the bench `infer` in eager PyTorch without gradients, in float32: dense layers, convolutions, and the
spiking network, whose products with weights run once over all times and whose neurons run in a loop.
"""

import torch
from serve import serve
from torch.nn import functional

DECAY, THRESHOLD = 0.9, 1.0
SPIKING = [700, 256, 256, 20]


def signs(*shape):
    return torch.randint(0, 2, shape).float().mul_(2).sub_(1)


def fired(*shape, activity):
    return (torch.rand(*shape) < activity).float()


def dense(batch, activity, units):
    hidden, readout = signs(units, units), signs(2, units)
    limit = torch.zeros(units)
    x = fired(batch, units, activity=activity)
    return lambda: functional.linear(torch.gt(functional.linear(x, hidden), limit).float(), readout)


def convolutions(batch, activity):
    layers = [signs(64, 64, 3, 3) for _ in range(4)]
    limit, readout = torch.zeros(64, 1, 1), signs(2, 64)
    x = fired(batch, 64, 32, 32, activity=activity)

    def forward():
        planes = x
        for filters in layers:
            planes = torch.gt(functional.conv2d(planes, filters, padding=1), limit).float()
        return functional.linear(planes.mean((2, 3)), readout)

    return forward


def leaky(currents, membrane):
    spikes = []
    for current in currents:
        membrane = membrane * DECAY + current
        fires = torch.gt(membrane, THRESHOLD).float()
        membrane = membrane - fires * THRESHOLD
        spikes.append(fires)
    return torch.stack(spikes), membrane


def spiking(batch, activity, time):
    layers = [signs(outputs, inputs) for inputs, outputs in zip(SPIKING, SPIKING[1:])]
    gains = [torch.full((outputs,), 4 / inputs**0.5) for inputs, outputs in zip(SPIKING, SPIKING[1:])]
    x = fired(time, batch, SPIKING[0], activity=activity)
    membranes = [torch.zeros(batch, units) for units in SPIKING[1:-1]]

    def forward():
        spikes = x
        for depth, membrane in enumerate(membranes):
            spikes, after = leaky(functional.linear(spikes, layers[depth]) * gains[depth], membrane)
            # A stream goes on where it stopped.
            if time == 1:
                membranes[depth] = after
        return (functional.linear(spikes, layers[-1]) * gains[-1]).mean(0)

    return forward


NETWORKS = {"dense": dense, "convolutions": convolutions, "spiking": spiking}


def prepare(network, **given):
    torch.manual_seed(1)
    torch.set_num_threads(1)
    forward = NETWORKS[network](**given)

    @torch.inference_mode()
    def step():
        return forward().sum().item()

    return step, {"version": torch.__version__}


if __name__ == "__main__":
    serve(prepare)
