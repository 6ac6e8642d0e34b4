"""A training step of the time-reversed diffusion sampler with the log-variance loss, on nine Gaussians, in PyTorch.

Two ways: `torch` simulates the paths without a graph and evaluates the network once along all of them, `torch-graph` keeps the
graph of every step of the simulation, as scripts that come with papers do.
"""

import math

WIDTH, VAR, CLIP = 64, 0.3, 1e4


def control_net(torch):
    """The control: a perceptron of state and time, and a gate for the guide."""
    nn = torch.nn

    class TimeBranch(nn.Module):
        def __init__(self, layers):
            super().__init__()
            self.register_buffer("frequencies", torch.linspace(0.1, 100.0, WIDTH))
            self.phases = nn.Parameter(torch.randn(WIDTH))
            sizes = [2 * WIDTH] + [WIDTH] * layers
            self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))

        def forward(self, times):
            angles = times[:, None] * self.frequencies + self.phases
            x = torch.cat([angles.sin(), angles.cos()], 1)
            for layer in self.layers[:-1]:
                x = nn.functional.gelu(layer(x))
            return self.layers[-1](x)

    class ControlNet(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.time, self.gate = TimeBranch(2), TimeBranch(3)
            self.state, self.output = nn.Linear(dim, WIDTH), nn.Linear(WIDTH, dim)
            self.hidden = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(2))
            self.opening = nn.Linear(WIDTH, 1)
            for layer, bias in ((self.output, 0.0), (self.opening, 1.0)):
                nn.init.zeros_(layer.weight)
                nn.init.constant_(layer.bias, bias)

        def embed(self, times, weights):
            """Made once for all states: `[times, width]`, and `[times, 1]`."""
            opening = self.opening(nn.functional.gelu(self.gate(times)))
            return self.time(times), opening.clamp(-CLIP, CLIP) * weights[:, None]

        def forward(self, time, opening, x, guide):
            x = nn.functional.gelu(self.state(x) + time)
            for layer in self.hidden:
                x = nn.functional.gelu(layer(x))
            return self.output(x).clamp(-CLIP, CLIP) + opening * guide.clamp(-CLIP, CLIP)

    return ControlNet(2)


def density_step(batch, steps, threads, peer):
    from worker import torch_setup

    torch = torch_setup(threads)
    net, dt = control_net(torch), 1.0 / steps
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True)
    line = torch.tensor([-5.0, 0.0, 5.0])
    means = torch.cartesian_prod(line, line)
    times = torch.arange(steps) * dt
    betas = 10.0 + times * (0.1 - 10.0)
    roots = betas.sqrt()
    kept, moved, noises = 1.0 + 0.5 * betas * dt, roots * dt, (betas * dt).sqrt()
    # Numbers of a step, read once.
    table = list(zip(times.tolist(), kept.tolist(), moved.tolist(), noises.tolist()))
    log_volume = 2 * kept.log().sum()

    def nearness(x):
        return (x @ means.T - 0.5 * (means**2).sum(1)) / VAR

    def score(x):
        return (nearness(x).softmax(1) @ means - x) / VAR

    def log_density(x):
        log_norm = math.log(len(means)) + math.log(2 * math.pi * VAR)
        return nearness(x).logsumexp(1) - 0.5 * (x**2).sum(1) / VAR - log_norm

    def base(x):
        return -0.5 * (x**2).sum(1) - math.log(2 * math.pi) - log_volume

    def simulated(control):
        """A of paths under `control`, with the states, guides and noise of every step."""
        x = torch.randn(batch, 2)
        action, path = base(x), []
        for k, (share, kept, moved, noise) in enumerate(table):
            guide = score(x) * share - x * (1.0 - share)
            xi = torch.randn_like(x)
            u = control(k, x, guide)
            w, ratio = u.detach(), moved / noise
            action = action + (u * (w - 0.5 * u)).sum(1) * ratio**2 + (u * xi).sum(1) * ratio
            path.append((x, guide, xi * ratio))
            x = kept * x + moved * w + noise * xi
        return action - log_density(x), path

    def step_with_graph():
        time, opening = net.embed(times, roots)
        action, _ = simulated(lambda k, x, guide: net(time[k], opening[k], x, guide))
        update(action.var())

    def step_along_paths():
        with torch.inference_mode():
            time, opening = net.embed(times, roots)
            action, path = simulated(lambda k, x, guide: net(time[k], opening[k], x, guide))
            cotangents = 2.0 * (action - action.mean()) / (batch - 1)
            x, guide, pull = (torch.stack(rows) for rows in zip(*path))
            pull = pull * cotangents[:, None]
        x, guide, pull = x.clone(), guide.clone(), pull.clone()
        time, opening = net.embed(times, roots)
        update((net(time[:, None], opening[:, None], x, guide) * pull).sum())

    def update(loss):
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0, foreach=True)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    return step_with_graph if peer == "torch-graph" else step_along_paths
