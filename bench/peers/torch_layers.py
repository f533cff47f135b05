"""Layers of binary and spiking Bayesian networks in PyTorch: what the training steps of peers are made of.

The gradients are written by hand where that saves passes over memory.
"""

import math

import torch
from torch.autograd import Function
from torch.nn import functional

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

    dz/du = phi(u / sigma) / sigma,  dz/dsigma = -(u / sigma) dz/du. Sigma may be one number per example.
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
        return d_u, ratio.mul_(d_u).neg_().sum_to_size(sigma.shape)


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


def noisy_conv(x, logits, gain, bias, rho, stride, binary):
    """As NoisyLinear for a convolution with weights in {-1, +1}, planes as [batch, channels, height, width]."""
    q = torch.tanh(logits)
    squares = x if binary else x * x
    linear = functional.conv2d(x, q, stride=stride, padding=1)
    variance = functional.conv2d(squares.detach(), 1 - q * q, stride=stride, padding=1)
    gain, bias = gain[:, None, None], bias[:, None, None]
    sigma = torch.addcmul(functional.softplus(rho).square(), variance, gain * gain).sqrt()
    return torch.addcmul(bias, linear, gain), sigma


def gaussian_linear(x, mu, gain, bias, rho):
    """Mean [rows, out] and variance [rows, 1] of x @ w * gain + bias for spikes x and w ~ N(mu, softplus(rho)^2).

    Spikes are their own squares, and those in the variance carry no gradient.
    """
    squares = x.detach().sum(1, keepdim=True)
    return torch.addcmul(bias, x @ mu, gain), squares * functional.softplus(rho).square()


def leaky_fire(current, variance, bias_variance, decay, threshold, measure=None):
    """Leaky integrate-and-fire over the first axis, with the noise of the weights carried along.

    U = decay U + I,  V = decay^2 V + var I,  s = [U - threshold + sqrt(V + bias_variance) eps > 0],  U -= threshold s.

    Adds what `measure` makes of U and sigma over all times. Returns the spikes [time, ...] and that sum.
    """
    membrane, spread, total, spikes = 0, 0, 0, []
    # unbind: indexing would give every step a gradient as large as the sequence.
    for arriving, noise in zip(current.unbind(), variance.unbind()):
        membrane = torch.add(arriving, membrane, alpha=decay)
        spread = torch.add(noise, spread, alpha=decay * decay)
        sigma = (spread + bias_variance).sqrt()
        fired = Fire.apply(membrane - threshold, sigma)
        if measure:
            total = total + measure(membrane, sigma)
        membrane = torch.sub(membrane, fired, alpha=threshold)
        spikes.append(fired)
    return torch.stack(spikes), total


def adam(parameters):
    try:
        return torch.optim.Adam(parameters, LEARNING_RATE, fused=True)  # on the CPU from PyTorch 2.4 on
    except (RuntimeError, TypeError):
        return torch.optim.Adam(parameters, LEARNING_RATE)
