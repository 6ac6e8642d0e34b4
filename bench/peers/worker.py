"""The work of sbridge-work in other libraries: a name and sizes in, a function to be timed out."""

import math

# 0.05 standard deviations of the cost between the two clouds.
SINKHORN_EPSILON = 0.1414


def torch_setup(threads):
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    return torch


class AdamWithAverage:
    """What a training step of ours includes: clipping, AdamW and averaged weights, fused where possible."""

    def __init__(self, torch, net):
        self.torch, self.parameters = torch, list(net.parameters())
        self.optimiser = torch.optim.AdamW(self.parameters, lr=1e-4, weight_decay=0.0, fused=True)
        self.average = [p.detach().clone() for p in self.parameters]

    def step(self):
        torch = self.torch
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0, foreach=True)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        with torch.no_grad():
            torch._foreach_lerp_(self.average, self.parameters, 0.001)


def mlp(torch, width):
    layers, inputs = [], 34
    for _ in range(4):
        layers += [torch.nn.Linear(inputs, width), torch.nn.SiLU()]
        inputs = width
    return torch.nn.Sequential(*layers, torch.nn.Linear(width, 2))


def mlp_step(batch, width, threads, compiled):
    torch = torch_setup(threads)
    net = mlp(torch, width)
    x, y = torch.randn(batch, 34), torch.randn(batch, 2)
    optimiser = AdamWithAverage(torch, net)
    forward = torch.compile(net) if compiled else net

    def work():
        loss = ((forward(x) - y) ** 2).mean()
        loss.backward()
        optimiser.step()

    return work


def mlp_forward(batch, width, threads, compiled):
    torch = torch_setup(threads)
    net = mlp(torch, width)
    x = torch.randn(batch, 34)
    forward = torch.compile(net) if compiled else net

    def work():
        with torch.inference_mode():
            forward(x)

    return work


def simulate(paths, steps, width, threads, compiled):
    torch = torch_setup(threads)
    net = mlp(torch, width)
    forward = torch.compile(net) if compiled else net
    frequencies = 0.25 * (8.0 / 0.25) ** (torch.arange(16) / 15)
    start = torch.randn(paths, 2)
    variances = torch.linspace(1.0, 1e-3, steps + 1).tolist()

    def work():
        with torch.inference_mode():
            z = start
            for v, after in zip(variances, variances[1:]):
                angles = (frequencies * math.log(v)).expand(paths, 16)
                score = forward(torch.cat([z, angles.sin(), angles.cos()], 1))
                z = z + (v - after) * score + math.sqrt(v - after) * torch.randn_like(z)

    return work


def autoencoder_step(batch, threads, compiled):
    torch = torch_setup(threads)
    nn = torch.nn
    encoder = nn.Sequential(
        nn.Conv2d(1, 32, 4, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 4, 2, 1), nn.ReLU(), nn.Flatten(),
        nn.Linear(64 * 49, 256), nn.ReLU(), nn.Linear(256, 32),
    )
    decoder = nn.Sequential(
        nn.Linear(16, 256), nn.ReLU(), nn.Linear(256, 64 * 49), nn.ReLU(), nn.Unflatten(1, (64, 7, 7)),
        nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(32, 1, 4, 2, 1), nn.Sigmoid(),
    )
    net = nn.ModuleList([encoder, decoder])
    rows = torch.randn(10 * batch, 784).clamp(0, 1)
    optimiser = AdamWithAverage(torch, net)

    def loss_of(x):
        code = encoder(x.view(-1, 1, 28, 28))[:, :16]
        return ((decoder(code).flatten(1) - x) ** 2).sum(1).mean()

    loss_of = torch.compile(loss_of) if compiled else loss_of

    def work():
        x = rows[torch.randint(0, len(rows), (batch,))]
        loss_of(x).backward()
        optimiser.step()

    return work


def unet_step(batch, channels, threads, compiled):
    torch = torch_setup(threads)
    nn = torch.nn
    features = 64

    class Residual(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.first_norm, self.second_norm = (nn.GroupNorm(width // 8, width) for _ in range(2))
            self.first, self.second = (nn.Conv2d(width, width, 3, 1, 1) for _ in range(2))
            self.condition = nn.Linear(features, width)

        def forward(self, x, level):
            inner = self.first(nn.functional.silu(self.first_norm(x)))
            inner = inner + self.condition(level)[:, :, None, None]
            return x + self.second(nn.functional.silu(self.second_norm(inner)))

    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.frequencies = 0.25 * 32 ** (torch.arange(features // 2) / (features // 2 - 1))
            self.time = nn.Linear(features, features)
            self.lift = nn.Conv2d(1, channels, 3, 1, 1)
            self.down, self.up = Residual(channels), Residual(channels)
            self.halve = nn.Conv2d(channels, 2 * channels, 4, 2, 1)
            self.middle = nn.ModuleList(Residual(2 * channels) for _ in range(2))
            self.enlarge = nn.ConvTranspose2d(2 * channels, channels, 4, 2, 1)
            self.norm, self.output = nn.GroupNorm(channels // 8, channels), nn.Conv2d(channels, 1, 3, 1, 1)

        def forward(self, x, v):
            angles = v.log()[:, None] * self.frequencies
            level = nn.functional.silu(self.time(torch.cat([angles.sin(), angles.cos()], 1)))
            fine = self.down(self.lift(x), level)
            coarse = self.halve(fine)
            for block in self.middle:
                coarse = block(coarse, level)
            out = self.up(self.enlarge(coarse) + fine, level)
            return self.output(nn.functional.silu(self.norm(out)))

    net = UNet().to(memory_format=torch.channels_last)
    x, y = (torch.randn(batch, 1, 28, 28).to(memory_format=torch.channels_last) for _ in range(2))
    v = torch.ones(batch)
    optimiser = AdamWithAverage(torch, net)
    forward = torch.compile(net) if compiled else net

    def work():
        ((forward(x, v) - y) ** 2).mean().backward()
        optimiser.step()

    return work


PATH_STEPS = 20


def halves(torch, width, peer):
    """A sample, the drift that is walked, and the drift that is learned."""

    def net():
        layers = [torch.nn.Linear(6, width), torch.nn.SiLU(), torch.nn.Linear(width, width), torch.nn.SiLU()]
        net = torch.nn.Sequential(*layers, torch.nn.Linear(width, 5))
        return torch.compile(net) if peer == "torch-compiled" else net

    return torch.randn(10000, 5) - 0.1, net(), net()


def steps_of_paths(torch, source, walked):
    """States before and after each step of a path from every row, with the mean of the step and its time."""
    x = source[torch.randperm(len(source))]
    for k in range(PATH_STEPS):
        t = torch.full((len(x), 1), k / PATH_STEPS)
        mean = x + walked(torch.cat([x, t], 1)) / PATH_STEPS
        after = mean + torch.randn_like(x) / PATH_STEPS**0.5
        yield x, mean, after, t
        x = after


def half_bridge(batch, width, steps, _uses, threads, peer):
    torch = torch_setup(threads)
    source, walked, learned = halves(torch, width, peer)

    def pairs():
        with torch.inference_mode():
            path = list(steps_of_paths(torch, source, walked))
        return path[0][0], path[-1][2].clone()

    def example(a, b):
        t = torch.rand(len(a), 1) * (1 - 2e-3) + 1e-3
        z = torch.randn_like(a)
        x = (1 - t) * a + t * b + (t * (1 - t)).sqrt() * z
        return torch.cat([x, t], 1), a - b - ((1 - t) / t).sqrt() * z

    regress = regress_as_published if peer == "torch-published" else regress_with_care
    return lambda: regress(torch, learned, pairs, example, batch, steps)


def dsb_half_bridge(batch, width, steps, threads, peer):
    torch = torch_setup(threads)
    source, walked, learned = halves(torch, width, peer)

    def tuples():
        states, targets = [], []
        with torch.inference_mode():
            for _, mean, x, t in steps_of_paths(torch, source, walked):
                targets.append(mean - x - walked(torch.cat([x, t], 1)) / PATH_STEPS)
                states.append(torch.cat([x, t + 1 / PATH_STEPS], 1))
        order = torch.randperm(len(source) * PATH_STEPS)
        if peer == "torch-published":
            # One step of each path is kept.
            row = torch.arange(len(source))
            order = torch.randint(PATH_STEPS, (len(source),)) * len(source) + row
        return torch.cat(states)[order].clone(), torch.cat(targets)[order].clone()

    regress = regress_as_published if peer == "torch-published" else regress_with_care
    return lambda: regress(torch, learned, tuples, lambda x, y: (x, y), batch, steps)


def regress_with_care(torch, learned, generation, example, batch, steps):
    """Regression on slices of one generation of rows after the other."""
    optimiser = torch.optim.Adam(learned.parameters(), lr=1e-4, fused=True)
    rows, used = generation(), 0
    for _ in range(steps):
        if used + batch > len(rows[0]):
            rows, used = generation(), 0
        x, y = example(*(of[used : used + batch] for of in rows))
        used += batch
        loss = ((learned(x) - y) ** 2).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()


def regress_as_published(torch, learned, generation, example, batch, steps):
    """The same as scripts that come with papers do it: rows from a DataLoader, the loss read at every step."""

    def batches():
        rows = torch.utils.data.TensorDataset(*generation())
        return iter(torch.utils.data.DataLoader(rows, batch, shuffle=True, drop_last=True))

    optimiser = torch.optim.Adam(learned.parameters(), lr=1e-4)
    source, losses = batches(), []
    for _ in range(steps):
        rows = next(source, None)
        if rows is None:
            source = batches()
            rows = next(source)
        x, y = example(*rows)
        loss = ((learned(x) - y) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())


def clouds(count, dim):
    import numpy as np

    rng = np.random.default_rng(0)
    return rng.standard_normal((count, dim)), rng.standard_normal((count, dim)) + 1.0


def assignment(count, library):
    from scipy.spatial.distance import cdist

    x, y = clouds(count, 16)
    if library == "scipy":
        from scipy.optimize import linear_sum_assignment

        return lambda: linear_sum_assignment(cdist(x, y, "sqeuclidean"))
    import ot

    return lambda: ot.emd2([], [], cdist(x, y, "sqeuclidean"), numItermax=10**7)


def transport(n, m, costs_are_given):
    import numpy as np
    import ot
    from scipy.spatial.distance import cdist

    (x, _), (_, y) = clouds(n, 16), clouds(m, 16)
    rng = np.random.default_rng(1)
    a, b = (rng.uniform(0.5, 1.5, count) for count in (n, m))
    a, b = a / a.sum(), b / b.sum()
    given = cdist(x, y, "sqeuclidean")
    cost = (lambda: given) if costs_are_given else (lambda: cdist(x, y, "sqeuclidean"))
    return lambda: ot.emd2(a, b, cost(), numItermax=10**8)


def sinkhorn(count):
    import numpy as np
    import ot

    x, y = clouds(count, 2)
    # Our cost is half the squared distance. POT stops at a Euclidean norm; over n marginals a sum of 1e-3 is one of
    # 1e-3 / sqrt(n). Its dense kernel is far faster than its lazy one, for 2 n² numbers of memory.
    weights = np.full(count, 1.0 / count)

    def work():
        cost = ot.dist(x, y)
        ot.sinkhorn(weights, weights, cost, 2 * SINKHORN_EPSILON, stopThr=1e-3 / count**0.5, numItermax=20_000)

    return work


def prepare(name, peer, threads):
    kind, *sizes = name.split()
    sizes = [int(size) for size in sizes]
    halves_of = {"half-bridge": half_bridge, "dsb-half-bridge": dsb_half_bridge}
    networks = {
        "mlp-step": mlp_step, "mlp-forward": mlp_forward, "simulate": simulate,
        "autoencoder-step": autoencoder_step, "unet-step": unet_step,
    }
    if kind == "density-step":
        from density import density_step

        return density_step(*sizes, threads, peer)
    if kind in ("temporal-step", "plan"):
        import temporal

        work = temporal.temporal_step if kind == "temporal-step" else temporal.plan
        return work(*sizes, threads, peer == "torch-compiled")
    if kind in halves_of:
        return halves_of[kind](*sizes, threads, peer)
    if kind in networks:
        return networks[kind](*sizes, threads, peer == "torch-compiled")
    if kind.startswith("transport"):
        return transport(*sizes, costs_are_given=kind == "transport-plan")
    return assignment(*sizes, peer) if kind == "assignment" else sinkhorn(*sizes)
