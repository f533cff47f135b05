"""The spiking network 700-256-256-20 in snnTorch, without gradients: Leaky neurons called once per time step from a
loop of Python, as its users write it.
"""

import snntorch
import torch
from serve import serve
from torch import nn

SIZES = [700, 256, 256, 20]


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.weights = nn.ModuleList([nn.Linear(*pair) for pair in zip(SIZES, SIZES[1:])])
        self.neurons = nn.ModuleList([snntorch.Leaky(beta=0.9) for _ in SIZES[2:]])

    def forward(self, x):
        membranes = [neuron.init_leaky() for neuron in self.neurons]
        outputs = []
        for spikes in x:
            for depth, neuron in enumerate(self.neurons):
                spikes, membranes[depth] = neuron(self.weights[depth](spikes), membranes[depth])
            outputs.append(self.weights[-1](spikes))
        return torch.stack(outputs).mean(0)


def prepare(batch, time):
    torch.manual_seed(1)
    torch.set_num_threads(1)
    network = Network().eval()
    x = (torch.rand(time, batch, 700) < 0.02).float()

    @torch.no_grad()
    def step():
        return network(x).sum().item()

    return step, {"version": snntorch.__version__}


if __name__ == "__main__":
    serve(prepare)
