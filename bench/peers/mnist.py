"""The main job in PyTorch: the same networks, batch sizes, step counts and sampler as our defaults.

    python bench/peers/mnist.py ../shared/data/mnist/train-images-idx3-ubyte.gz [--share 0.1]

prints the seconds of each stage; ours are in the manifest of a run, under `seconds`. With --share the
stages take that share of their steps, and the times are scaled up.
"""

import argparse
import copy
import gzip
import math
import time

import numpy as np
import torch
from torch import nn

LATENT, CHANNELS, HIDDEN, WIDTH, BLOCKS, FEATURES = 20, 32, 256, 384, 4, 64
EPSILON, V_END, RHO, SAMPLER_STEPS, SAMPLES = 16.0, 16e-4, 7.0, 200, 10_000


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        bottom = 2 * CHANNELS * 49
        self.encoder = nn.Sequential(
            nn.Conv2d(1, CHANNELS, 4, 2, 1), nn.ReLU(), nn.Conv2d(CHANNELS, 2 * CHANNELS, 4, 2, 1), nn.ReLU(),
            nn.Flatten(), nn.Linear(bottom, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2 * LATENT),
        )
        self.decoder = nn.Sequential(
            nn.Linear(LATENT, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, bottom), nn.ReLU(),
            nn.Unflatten(1, (2 * CHANNELS, 7, 7)),
            nn.ConvTranspose2d(2 * CHANNELS, CHANNELS, 4, 2, 1), nn.ReLU(),
            nn.ConvTranspose2d(CHANNELS, 1, 4, 2, 1), nn.Sigmoid(),
        )

    def loss(self, x):
        mean, log_var = self.encoder(x).chunk(2, 1)
        log_var = log_var.clamp(-20, 10)
        code = mean + (0.5 * log_var).exp() * torch.randn_like(mean)
        code = code + 0.02 * mean.detach().std(0) * torch.randn_like(mean)
        error = ((self.decoder(code) - x) ** 2).flatten(1).sum(1).mean()
        return error + 0.5e-6 * (mean**2 + log_var.exp() - log_var - 1).sum(1).mean()


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.inward = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH)
        self.condition, self.outward = nn.Linear(FEATURES, WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x, level):
        return x + self.outward(torch.relu(self.inward(self.norm(x)) + self.condition(level)))


class Score(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("frequencies", 0.25 * 32 ** (torch.arange(FEATURES // 2) / (FEATURES // 2 - 1)))
        self.time, self.lift = nn.Linear(FEATURES, FEATURES), nn.Linear(LATENT, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(BLOCKS))
        self.norm, self.output = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, LATENT)

    def forward(self, z, v):
        total = v[:, None] + 1
        angles = v.log()[:, None] * self.frequencies
        level = nn.functional.silu(self.time(torch.cat([angles.sin(), angles.cos()], 1)))
        x = self.lift(z / total.sqrt())
        for block in self.blocks:
            x = block(x, level)
        correction = self.output(nn.functional.silu(self.norm(x)))
        return z * v.sqrt()[:, None] / total + correction / total.sqrt()


def train(net, loss_of, steps, share, rate, decay, clip, average_decay):
    optimiser = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=decay, fused=True)
    average = copy.deepcopy(net)
    taken = max(1, round(steps * share))
    started = time.perf_counter()
    for k in range(taken):
        done = (k + 0.5) / taken
        optimiser.param_groups[0]["lr"] = rate * min(done / 0.02, 1) * 0.5 * (1 + math.cos(math.pi * done))
        loss_of(net).backward()
        nn.utils.clip_grad_norm_(net.parameters(), clip, foreach=True)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(net.parameters()), 1 - average_decay)
    return average, (time.perf_counter() - started) * steps / taken


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images")
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    raw = np.frombuffer(gzip.open(arguments.images).read(), np.uint8, offset=16)
    images = torch.from_numpy(raw.reshape(-1, 1, 28, 28).astype(np.float32) / 255)[: len(raw) // 784 - 2000]

    def batch_of(rows, size):
        return rows[torch.randint(0, len(rows), (size,))]

    autoencoder, seconds_a = train(
        Autoencoder(), lambda net: net.loss(batch_of(images, 128)), 2200, arguments.share, 2e-3, 1e-4, 50.0, 0.995
    )
    started = time.perf_counter()
    with torch.inference_mode():
        codes = torch.cat([autoencoder.encoder(x)[:, :LATENT] for x in images.split(500)])
        codes = (codes - codes.mean(0)) / codes.std(0)
    codes = codes.clone()

    def denoising(net):
        z, xi = batch_of(codes, 512), torch.randn(512, LATENT)
        v = torch.exp(torch.empty(512).uniform_(math.log(V_END), math.log(EPSILON)))
        return ((net(z + v.sqrt()[:, None] * xi, v) - xi) ** 2).mean()

    encoding = time.perf_counter() - started
    score, seconds_b = train(Score(), denoising, 10_000, arguments.share, 1e-3, 0.0, 1.0, 0.999)
    ends = EPSILON ** (1 / RHO), V_END ** (1 / RHO)
    grid = [(ends[0] + k / SAMPLER_STEPS * (ends[1] - ends[0])) ** RHO for k in range(SAMPLER_STEPS + 1)]
    started = time.perf_counter()
    drawn = max(500, round(SAMPLES * arguments.share) // 500 * 500)
    with torch.inference_mode():
        for _ in range(drawn // 500):
            z = math.sqrt(1 + EPSILON) * torch.randn(500, LATENT)
            for v, after in zip(grid, grid[1:]):
                slope = -score(z, torch.full((500,), v)) / math.sqrt(v)
                z = z + (v - after) * slope + math.sqrt(v - after) * torch.randn_like(z)
            autoencoder.decoder(z)
    sampling = (time.perf_counter() - started) * SAMPLES / drawn
    print(f"autoencoder {seconds_a:.1f} s, encoding {encoding:.1f} s, score {seconds_b:.1f} s, "
          f"{SAMPLES} samples {sampling:.1f} s, together {seconds_a + encoding + seconds_b + sampling:.1f} s")


if __name__ == "__main__":
    main()
