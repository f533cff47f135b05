"""One training step of a binary or spiking Bayesian network in PyTorch, the mathematics of ours.

The input is one fixed batch; noise is drawn afresh in every step. What does not depend on time runs once over all
time steps; neurons with a state run through a loop of Python.
"""

import math

import torch
from serve import serve
from torch.nn import functional
from torch_layers import Fire, KlFromUniform, NoisyLinear, adam, gaussian_linear, leaky_fire, noisy_conv

TRAINING_SET = 60_000
PENALTY = 1e-6
DECAY, THRESHOLD = 0.9, 1.0


class Training:
    """What the nets have in common: labels, loss and update. A net adds `x`, `parameters()` and `forward()`."""

    def __init__(self, batch, classes, kl, penalty):
        self.batch, self.kl, self.penalty = batch, kl, penalty
        self.labels = torch.randint(0, classes, (batch,))

    def start(self, layers):
        self.layers = layers
        self.optimizer = adam([parameter.requires_grad_() for layer in layers for parameter in layer])

    def measure(self, membrane, sigma, current, current_sigma):
        """Sum of squares of what the penalty keeps small."""
        value = {"current": current / current_sigma, "membrane": membrane / sigma}[self.penalty]
        return value.square().sum()

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        logits, kl, penalty = self.forward()
        loss = functional.cross_entropy(logits, self.labels) + kl / TRAINING_SET + PENALTY / self.batch * penalty
        loss.backward()
        self.optimizer.step()
        return loss.item()


def bernoulli_layer(shape, fan_in, fan_out, power):
    gain = torch.full((fan_out,), 1 / math.sqrt(fan_in * power))
    return [torch.randn(shape) * 0.5, gain, torch.zeros(fan_out), torch.full((1,), -2.0)]


class Dense(Training):
    """Net A: layers of binary neurons."""

    def __init__(self, sizes, batch, kl, penalty):
        super().__init__(batch, sizes[-1], kl, penalty)
        self.x = torch.rand(batch, sizes[0])
        pairs = list(zip(sizes, sizes[1:]))
        self.start([bernoulli_layer(pair, *pair, 0.5 if at else 1 / 3) for at, pair in enumerate(pairs)])

    def forward(self):
        x, kl, penalty = self.x, 0, 0
        for depth, (logits, *rest) in enumerate(self.layers):
            mean, sigma, q = NoisyLinear.apply(x, logits, *rest, depth > 0)
            if self.kl:
                kl = kl + KlFromUniform.apply(logits, q)
            if depth < len(self.layers) - 1:
                x = Fire.apply(mean, sigma)
                if self.penalty:
                    penalty = penalty + self.measure(mean, sigma, mean, sigma)
        return torch.addcmul(mean, sigma, torch.randn_like(mean)), kl, penalty


class Spiking(Training):
    """Net B: layers of leaky integrate-and-fire neurons, the logits the mean over time of the last currents."""

    def __init__(self, sizes, batch, time, posterior, kl, penalty):
        super().__init__(batch, sizes[-1], kl, penalty)
        if kl and posterior == "gaussian":
            raise ValueError("the KL term of the Gaussian posterior is not written here")
        self.time, self.posterior = time, posterior
        self.x = (torch.rand(time * batch, sizes[0]) < 0.05).float()
        layers = []
        for fan_in, fan_out in zip(sizes, sizes[1:]):
            if posterior == "bernoulli":
                power = 0.5 if layers else 0.05
                layers.append(bernoulli_layer((fan_in, fan_out), fan_in, fan_out, power))
            else:
                limit = 1 / math.sqrt(fan_in)
                mu = (torch.rand(fan_in, fan_out) * 2 - 1) * limit
                rho = torch.full((1,), math.log(math.expm1(0.5 * limit)))
                layers.append([mu, torch.ones(fan_out), torch.zeros(fan_out), torch.full((1,), -2.0), rho])
        self.start(layers)

    def current(self, x, layer):
        """Mean [time, batch, out] of a layer's current, variances of its sum and of its bias, and the layer's KL."""
        if self.posterior == "gaussian":
            mu, gain, bias, bias_rho, rho = layer
            mean, variance = gaussian_linear(x, mu, gain, bias, rho)
            kl = 0
        else:
            logits, gain, bias, bias_rho = layer
            q = torch.tanh(logits)
            mean = torch.addcmul(bias, x @ q, gain)
            variance = (x.detach() @ (1 - q * q)) * (gain * gain)
            kl = KlFromUniform.apply(logits, q.detach()) if self.kl else 0
        in_time = (self.time, self.batch, -1)
        return mean.view(in_time), variance.view(in_time), functional.softplus(bias_rho).square(), kl

    def forward(self):
        x, divergence, penalty = self.x, 0, 0
        for depth, layer in enumerate(self.layers):
            mean, variance, bias_variance, kl = self.current(x, layer)
            divergence = divergence + kl
            if depth == len(self.layers) - 1:
                break
            membrane = self.penalty == "membrane"
            spikes, total = leaky_fire(
                mean, variance, bias_variance, DECAY, THRESHOLD, self.measure_membrane if membrane else None
            )
            if self.penalty == "current":
                penalty = penalty + (mean / (variance + bias_variance).sqrt()).square().sum()
            elif membrane:
                penalty = penalty + total
            x = spikes.view(self.time * self.batch, -1)
        sigma = (variance + bias_variance).sqrt()
        return (mean + sigma * torch.randn_like(mean)).mean(0), divergence, penalty

    def measure_membrane(self, membrane, sigma):
        return (membrane / sigma).square().sum()


class Convolutional(Training):
    """Net C: two convolutions of binary neurons, the second of stride 2, and a dense layer."""

    def __init__(self, filters, batch, kl, penalty):
        super().__init__(batch, 10, kl, penalty)
        if kl:
            raise ValueError("the KL term of convolutions is not written here")
        first, second = filters
        self.x = torch.rand(batch, 1, 28, 28)
        features = second * 14 * 14
        self.start([
            bernoulli_layer((first, 1, 3, 3), 9, first, 1 / 3),
            bernoulli_layer((second, first, 3, 3), 9 * first, second, 0.5),
            bernoulli_layer((features, 10), features, 10, 0.5),
        ])

    def forward(self):
        x, penalty = self.x, 0
        for depth, layer in enumerate(self.layers[:-1]):
            mean, sigma = noisy_conv(x, *layer, stride=depth + 1, binary=depth > 0)
            x = Fire.apply(mean, sigma)
            if self.penalty:
                penalty = penalty + self.measure(mean, sigma, mean, sigma)
        mean, sigma, _ = NoisyLinear.apply(x.flatten(1), *self.layers[-1], True)
        return torch.addcmul(mean, sigma, torch.randn_like(mean)), 0, penalty


def prepare(net, threads, batch, time, hidden, posterior, kl, penalty):
    torch.manual_seed(1)
    torch.set_num_threads(threads)
    penalty = None if penalty == "none" else penalty
    if net == "A":
        training = Dense([784, *hidden, 10], batch, kl, penalty)
    elif net == "B":
        training = Spiking([700, *hidden, 20], batch, time, posterior, kl, penalty)
    else:
        training = Convolutional(hidden, batch, kl, penalty)
    return training.step, {"version": torch.__version__}


def profile(step, count):
    with torch.autograd.profiler.profile() as found:
        for _ in range(count):
            step()
    return found.key_averages().table(sort_by="self_cpu_time_total", row_limit=10)


if __name__ == "__main__":
    serve(prepare, profile)
