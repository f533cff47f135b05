"""One training step of a binary Bayesian network in PyTorch, served as JSON lines on stdin and stdout.

    {"op": "prepare", "net": "A", "threads": 1, "kl": false, "penalty": false}  ->  {"torch": "1.13.0"}
    {"op": "steps", "count": 20}    ->  {"ms": [one number per step], "loss": 2.3}
    {"op": "profile", "count": 20}  ->  {"table": "where the time of that many steps went"}

A request that fails is answered by {"error": "why"}. The input is one fixed batch; noise is drawn afresh in
every step. The gradients are written by hand where that saves passes over the weights.
"""

import json
import math
import sys
import time

import torch
from torch.autograd import Function
from torch.nn import functional

NETS = {"A": {"sizes": [784, 512, 512, 10], "batch": 128}}
TRAINING_SET = 60_000
KL_WEIGHT = 1.0
PENALTY = 1e-6
LEARNING_RATE = 1e-3


class NoisyLinear(Function):
    """Mean and deviation of x @ w * gain + bias for w in {-1, +1} with E[w] = tanh(logits).

    mean = (x @ q) gain + bias,  sigma^2 = (x^2 @ (1 - q^2)) gain^2 + softplus(rho)^2,  q = tanh(logits).
    The x in the variance carries no gradient. Also returns q, without gradient, for the KL term.
    """

    @staticmethod
    def forward(ctx, x, logits, gain, bias, rho, binary):
        q = torch.tanh(logits)
        spread = (q * q).neg_().add_(1)
        squares = x if binary else x * x
        linear = x @ q
        variance = squares @ spread
        bias_scale = functional.softplus(rho)
        sigma = torch.addcmul(bias_scale * bias_scale, variance, gain * gain).sqrt_()
        ctx.save_for_backward(x, squares, q, spread, linear, variance, gain, rho, bias_scale, sigma)
        ctx.mark_non_differentiable(q)
        return torch.addcmul(bias, linear, gain), sigma, q

    @staticmethod
    def backward(ctx, d_mean, d_sigma, _):
        x, squares, q, spread, linear, variance, gain, rho, bias_scale, sigma = ctx.saved_tensors
        d_total = (d_sigma / sigma).mul_(0.5)
        d_gain = (d_mean * linear).sum(0) + 2 * gain * (d_total * variance).sum(0)
        d_rho = 2 * d_total.sum() * bias_scale * torch.sigmoid(rho)
        d_linear = d_mean * gain
        d_variance = d_total.mul_(gain * gain)
        d_q = x.t() @ d_linear
        d_logits = d_q.addcmul_(q, squares.t() @ d_variance, value=-2).mul_(spread)
        d_x = d_linear @ q.t() if ctx.needs_input_grad[0] else None
        return d_x, d_logits, d_gain, d_mean.sum(0), d_rho, None


class Fire(Function):
    """z = [u + sigma eps > 0], backward by IW-ST with mix 0.

    dz/du = phi(u / sigma) / sigma,  dz/dsigma = -(u / sigma) dz/du.
    """

    @staticmethod
    def forward(ctx, u, sigma):
        ctx.save_for_backward(u, sigma)
        return torch.addcmul(u, sigma, torch.randn_like(u)).gt(0).to(u.dtype)

    @staticmethod
    def backward(ctx, d_z):
        u, sigma = ctx.saved_tensors
        ratio = u / sigma
        d_u = (ratio * ratio).mul_(-0.5).exp_().mul_(1 / math.sqrt(2 * math.pi)).div_(sigma).mul_(d_z)
        return d_u, ratio.mul_(d_u).neg_()


class KlFromUniform(Function):
    """Sum of KL(Bernoulli || Bernoulli(1/2)) = logits q - log cosh(logits), gradient logits (1 - q^2)."""

    @staticmethod
    def forward(ctx, logits, q):
        ctx.save_for_backward(logits, q)
        size = logits.abs()
        log_cosh = (-2 * size).exp_().log1p_().add_(size).sub_(math.log(2))
        return (logits * q).sub_(log_cosh).sum()

    @staticmethod
    def backward(ctx, d_sum):
        logits, q = ctx.saved_tensors
        return (q * q).neg_().add_(1).mul_(logits).mul_(d_sum), None


class Training:
    def __init__(self, sizes, batch, kl, penalty):
        torch.manual_seed(1)
        self.kl, self.penalty, self.batch = kl, penalty, batch
        self.x = torch.rand(batch, sizes[0])
        self.labels = torch.randint(0, sizes[-1], (batch,))
        self.layers = []
        for fan_in, fan_out in zip(sizes, sizes[1:]):
            mean_square = 0.5 if self.layers else 1 / 3
            logits = torch.randn(fan_in, fan_out) * 0.5
            gain = torch.full((fan_out,), 1 / math.sqrt(fan_in * mean_square))
            self.layers.append([logits, gain, torch.zeros(fan_out), torch.full((1,), -2.0)])
        parameters = [parameter.requires_grad_() for layer in self.layers for parameter in layer]
        self.optimizer = adam(parameters)

    def loss(self):
        x, kl, penalty = self.x, 0, 0
        for depth, (logits, *rest) in enumerate(self.layers):
            mean, sigma, q = NoisyLinear.apply(x, logits, *rest, depth > 0)
            if self.kl:
                kl = kl + KlFromUniform.apply(logits, q)
            if depth == len(self.layers) - 1:
                x = torch.addcmul(mean, sigma, torch.randn_like(mean))
            else:
                x = Fire.apply(mean, sigma)
                if self.penalty:
                    penalty = penalty + (mean / sigma).square().sum() / self.batch
        error = functional.cross_entropy(x, self.labels)
        return error + KL_WEIGHT / TRAINING_SET * kl + PENALTY * penalty

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss()
        loss.backward()
        self.optimizer.step()
        return loss.item()


def adam(parameters):
    try:
        return torch.optim.Adam(parameters, LEARNING_RATE, fused=True)  # on the CPU from PyTorch 2.4 on
    except (RuntimeError, TypeError):
        return torch.optim.Adam(parameters, LEARNING_RATE)


class Peer:
    def prepare(self, net, threads, kl=False, penalty=False):
        torch.set_num_threads(threads)
        self.training = Training(**NETS[net], kl=kl, penalty=penalty)
        return {"torch": torch.__version__}

    def steps(self, count):
        times = []
        for _ in range(count):
            start = time.perf_counter()
            loss = self.training.step()
            times.append((time.perf_counter() - start) * 1e3)
        return {"ms": times, "loss": loss}

    def profile(self, count):
        with torch.autograd.profiler.profile() as profile:
            for _ in range(count):
                self.training.step()
        averages = profile.key_averages()
        return {"table": averages.table(sort_by="self_cpu_time_total", row_limit=10)}


def main():
    peer = Peer()
    operations = {"prepare": peer.prepare, "steps": peer.steps, "profile": peer.profile}
    for line in sys.stdin:
        try:
            message = json.loads(line)
            answer = json.dumps(operations[message.pop("op")](**message), allow_nan=False)
        except Exception as error:  # whatever it is, the other side must hear of it
            answer = json.dumps({"error": f"{type(error).__name__}: {error}"})
        print(answer, flush=True)


if __name__ == "__main__":
    main()
