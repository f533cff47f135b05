"""The same training step of a spiking Bayesian network in PyTorch, as it is usually written: one loop over time that takes
every layer a step on, products with weights included. `pytorch_train_step.py` takes those products out of the loop.
"""

import torch
from pytorch_train_step import DECAY, THRESHOLD, Spiking, profile
from serve import serve
from torch.nn import functional
from torch_layers import Fire, KlFromUniform, gaussian_linear


class Stepwise(Spiking):
    def weights(self, layer):
        """What is the same at every step: E[w], var w of Bernoulli weights, the variance of the bias, and the KL."""
        bias_variance = functional.softplus(layer[3]).square()
        if self.posterior == "gaussian":
            return layer[0], None, bias_variance, 0
        q = torch.tanh(layer[0])
        kl = KlFromUniform.apply(layer[0], q.detach()) if self.kl else 0
        return q, 1 - q * q, bias_variance, kl

    def current_at(self, x, layer, mean_weight, variance_weight):
        gain, bias = layer[1:3]
        if self.posterior == "gaussian":
            return gaussian_linear(x, mean_weight, gain, bias, layer[4])
        return torch.addcmul(bias, x @ mean_weight, gain), (x.detach() @ variance_weight) * (gain * gain)

    def forward(self):
        weights = [self.weights(layer) for layer in self.layers]
        states = [(0, 0)] * (len(self.layers) - 1)
        outputs, penalty = [], 0
        for spikes in self.x.view(self.time, self.batch, -1).unbind():
            for depth, (membrane, spread) in enumerate(states):
                mean_weight, variance_weight, bias_variance, _ = weights[depth]
                mean, variance = self.current_at(spikes, self.layers[depth], mean_weight, variance_weight)
                membrane = DECAY * membrane + mean
                spread = DECAY * DECAY * spread + variance
                sigma = (spread + bias_variance).sqrt()
                spikes = Fire.apply(membrane - THRESHOLD, sigma)
                if self.penalty:
                    penalty = penalty + self.measure(membrane, sigma, mean, (variance + bias_variance).sqrt())
                states[depth] = (membrane - THRESHOLD * spikes, spread)
            mean_weight, variance_weight, bias_variance, _ = weights[-1]
            mean, variance = self.current_at(spikes, self.layers[-1], mean_weight, variance_weight)
            outputs.append(mean + (variance + bias_variance).sqrt() * torch.randn_like(mean))
        return torch.stack(outputs).mean(0), sum(kl for *_, kl in weights), penalty


def prepare(net, threads, batch, time, hidden, posterior, kl, penalty):
    if net != "B":
        raise ValueError("a loop over time is for spiking networks: net B")
    torch.manual_seed(1)
    torch.set_num_threads(threads)
    training = Stepwise([700, *hidden, 20], batch, time, posterior, kl, None if penalty == "none" else penalty)
    return training.step, {"version": torch.__version__}


if __name__ == "__main__":
    serve(prepare, profile)
