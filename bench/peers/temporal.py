"""The temporal U-Net of plans in PyTorch: 1-D convolutions with their channels first, as is usual there."""

import math

from worker import AdamWithAverage, torch_setup

COLUMNS, WIDTH, MULTIPLIERS = 6, 32, (1, 4, 8)


def temporal_unet(torch):
    nn = torch.nn

    def block(inputs, outputs):
        return nn.Sequential(nn.Conv1d(inputs, outputs, 5, padding=2), nn.GroupNorm(8, outputs), nn.Mish())

    class Residual(nn.Module):
        def __init__(self, inputs, outputs):
            super().__init__()
            self.first, self.second = block(inputs, outputs), block(outputs, outputs)
            self.condition = nn.Sequential(nn.Mish(), nn.Linear(WIDTH, outputs))
            self.skip = nn.Identity() if inputs == outputs else nn.Conv1d(inputs, outputs, 1)

        def forward(self, x, time):
            inner = self.first(x) + self.condition(time)[:, :, None]
            return self.second(inner) + self.skip(x)

    def pair(inputs, outputs):
        return nn.ModuleList([Residual(inputs, outputs), Residual(outputs, outputs)])

    class TemporalUNet(nn.Module):
        def __init__(self):
            super().__init__()
            widths = [WIDTH * m for m in MULTIPLIERS]
            self.frequencies = torch.exp(-torch.arange(WIDTH // 2) * math.log(1e4) / (WIDTH // 2 - 1))
            self.time = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.Mish(), nn.Linear(4 * WIDTH, WIDTH))
            self.down = nn.ModuleList(pair(a, b) for a, b in zip([COLUMNS, *widths], widths))
            self.halve = nn.ModuleList(nn.Conv1d(w, w, 3, 2, 1) for w in widths[:-1])
            self.middle = pair(widths[-1], widths[-1])
            self.up = nn.ModuleList(pair(2 * b, a) for a, b in reversed(list(zip(widths, widths[1:]))))
            self.enlarge = nn.ModuleList(nn.ConvTranspose1d(w, w, 4, 2, 1) for w in reversed(widths[:-1]))
            self.output = nn.Sequential(block(widths[0], widths[0]), nn.Conv1d(widths[0], COLUMNS, 1))

        def forward(self, x, t):
            angles = t[:, None] * self.frequencies
            time = self.time(torch.cat([angles.sin(), angles.cos()], 1))
            x, seen = x.transpose(1, 2), []
            for level, blocks in enumerate(self.down):
                for residual in blocks:
                    x = residual(x, time)
                seen.append(x)
                if level < len(self.halve):
                    x = self.halve[level](x)
            for residual in self.middle:
                x = residual(x, time)
            for blocks, enlarge in zip(self.up, self.enlarge):
                x = torch.cat([x, seen.pop()], 1)
                for residual in blocks:
                    x = residual(x, time)
                x = enlarge(x)
            return self.output(x).transpose(1, 2)

    net = TemporalUNet()
    assert sum(p.numel() for p in net.parameters()) == 3_682_118
    return net


def temporal_step(batch, rows, threads, compiled):
    torch = torch_setup(threads)
    net = temporal_unet(torch)
    x, y = (torch.randn(batch, rows, COLUMNS) for _ in range(2))
    t = torch.ones(batch)
    optimiser = AdamWithAverage(torch, net)
    forward = torch.compile(net) if compiled else net

    def work():
        ((forward(x, t) - y) ** 2).mean().backward()
        optimiser.step()

    return work


def plan(rows, calls, threads, compiled):
    torch = torch_setup(threads)
    net = temporal_unet(torch)
    forward = torch.compile(net) if compiled else net
    start = torch.randn(1, rows, COLUMNS)

    def work():
        with torch.inference_mode():
            x = start
            for k in reversed(range(calls)):
                x = forward(x, torch.full((1,), float(k)))

    return work
