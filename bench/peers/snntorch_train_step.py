"""One training step of a spiking network in snnTorch, in its usual way: a surrogate gradient, Leaky neurons called
once per time step from a loop of Python, cross-entropy of the mean output, Adam. Weights are certain: there is no noise
to draw, no variance to carry and no penalty, so this step computes less than ours.
"""

import snntorch
import torch
from serve import serve
from snntorch import surrogate
from torch import nn
from torch.nn import functional
from torch_layers import adam


class Network(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.weights = nn.ModuleList([nn.Linear(*pair) for pair in zip(sizes, sizes[1:])])
        gradient = surrogate.fast_sigmoid()
        self.neurons = nn.ModuleList([snntorch.Leaky(beta=0.9, spike_grad=gradient) for _ in sizes[2:]])

    def forward(self, x):
        membranes = [neuron.init_leaky() for neuron in self.neurons]
        outputs = []
        for spikes in x:
            for depth, neuron in enumerate(self.neurons):
                spikes, membranes[depth] = neuron(self.weights[depth](spikes), membranes[depth])
            outputs.append(self.weights[-1](spikes))
        return torch.stack(outputs).mean(0)


def prepare(net, threads, batch, time, hidden, **_):
    if net != "B":
        raise ValueError("snnTorch trains spiking networks: net B")
    torch.manual_seed(1)
    torch.set_num_threads(threads)
    network = Network([700, *hidden, 20])
    optimizer = adam(list(network.parameters()))
    x = (torch.rand(time, batch, 700) < 0.05).float()
    labels = torch.randint(0, 20, (batch,))

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = functional.cross_entropy(network(x), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step, {"version": snntorch.__version__}


if __name__ == "__main__":
    serve(prepare)
