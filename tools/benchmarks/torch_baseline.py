"""DVD-GAN in PyTorch, to compare a train step's time with `benchmark.py`.

    pip install torch
    python -m tools.benchmarks.torch_baseline \
        --resolution=64 --num_frames=12 --ch=16

Prints one JSON line: parameters, seconds of the first step and the median
step of 2 updates of D and one of G. The architecture, the schedule and, with
as many classes, the trainable parameters of G, D_S and D_T are those of
`dvdgan_tf`. It is written as PyTorch is written well: channels last, denormals
flushed, every weight normalised once per pass, real and fake as one batch.

It does the arithmetic as the paper's figures draw it (`gflop_as_drawn` of
`benchmark.py`). Besides, it differs in that r and u of a ConvGRU are one
kernel under one spectral norm, vectors of the spectral norm start after 15
power iterations (PyTorch's own), and there are no moving statistics, averaged
generator, metrics or data pipeline.
"""

import argparse
import itertools
import json
import statistics
import sys
import time

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

GENERATOR = {
    32: (8, 8, 8, 4),
    64: (8, 8, 8, 4, 2),
    128: (8, 8, 8, 4, 2, 1),
    256: (8, 8, 8, 8, 4, 2, 1),
}
DISCRIMINATOR = {
    32: (4, 8, 16, 16),
    64: (2, 4, 8, 16, 16),
    128: (1, 2, 4, 8, 16, 16),
    256: (1, 2, 4, 8, 8, 16, 16),
}
Z_DIM = EMBEDDING_DIM = 120


def normalized(layer):
    """Orthogonal weight under spectral norm, bias zero."""
    nn.init.orthogonal_(layer.weight)
    if getattr(layer, "bias", None) is not None:
        nn.init.zeros_(layer.bias)
    return spectral_norm(layer, eps=1e-4)


def conv(c_in, c_out, kernel=3, rank=2):
    """A "same" convolution."""
    cls = nn.Conv3d if rank == 3 else nn.Conv2d
    return normalized(cls(c_in, c_out, kernel, padding=kernel // 2))


def fold_time(x):
    """[B, T, ...] -> [B T, ...] with channels last in memory."""
    return x.flatten(0, 1).contiguous(memory_format=torch.channels_last)


class ConditionalNorm(nn.Module):
    """Batch norm per time step; gain and bias linear in the condition."""

    def __init__(self, channels):
        super().__init__()
        condition = Z_DIM + EMBEDDING_DIM
        self.gain, self.bias = (
            normalized(nn.Linear(condition, channels, bias=False))
            for _ in range(2)
        )

    def forward(self, x, condition, frames):
        """Normalises x, [B T, C, H, W]."""
        channels = x.shape[1]
        videos = x.unflatten(0, (-1, frames)).float()
        variance, mean = torch.var_mean(videos, (0, 3, 4), correction=0)
        gain = (1 + self.gain(condition).float())[:, None]
        scale = gain * torch.rsqrt(variance + 1e-4)
        shift = self.bias(condition).float()[:, None] - mean * scale
        scale, shift = (
            v.reshape(-1, channels, 1, 1).to(x.dtype) for v in (scale, shift)
        )
        return torch.addcmul(shift, x, scale)


class ConvGRU(nn.Module):
    """The paper's recurrence over frames."""

    def __init__(self, channels):
        super().__init__()
        self.gates = conv(2 * channels, 2 * channels)
        self.candidate = conv(2 * channels, channels)

    def forward(self, x, frames):
        """Runs over x, [B T, C, H, W]."""
        # Read once: each look at a weight is a power iteration.
        gates_kernel, candidate_kernel = (
            self.gates.weight,
            self.candidate.weight,
        )
        inputs = x.unflatten(0, (-1, frames)).unbind(1)
        state = torch.zeros_like(inputs[0])
        states = []
        for frame in inputs:
            both = torch.cat([state, frame], 1)
            gates = F.conv2d(both, gates_kernel, self.gates.bias, padding=1)
            reset, update = torch.sigmoid(gates).chunk(2, 1)
            both = torch.cat([frame, reset * state], 1)
            candidate = F.relu(
                F.conv2d(both, candidate_kernel, self.candidate.bias, padding=1)
            )
            state = torch.lerp(candidate, state.to(update.dtype), update)
            states.append(state)
        return fold_time(torch.stack(states, 1))


class GBlock(nn.Module):
    """Residual block of G."""

    def __init__(self, c_in, c_out, up):
        super().__init__()
        self.up = up
        self.norm1, self.norm2 = ConditionalNorm(c_in), ConditionalNorm(c_out)
        self.conv1, self.conv2 = conv(c_in, c_out), conv(c_out, c_out)
        self.skip = conv(c_in, c_out, 1) if up or c_in != c_out else None

    def forward(self, x, condition, frames):
        """Maps x, [B T, C, H, W]."""
        main = F.relu(self.norm1(x, condition, frames))
        main = self.conv1(self._resize(main))
        main = self.conv2(F.relu(self.norm2(main, condition, frames)))
        return main + (self.skip(self._resize(x)) if self.skip else x)

    def _resize(self, x):
        if not self.up:
            return x
        return F.interpolate(
            x, scale_factor=2, mode="bilinear", align_corners=False
        )


class Generator(nn.Module):
    """G: noise and classes to videos [B T, 3, H, W]."""

    def __init__(self, resolution, frames, ch, classes):
        super().__init__()
        widths = [ch * m for m in GENERATOR[resolution]]
        self.frames = frames
        self.embedding = nn.Embedding(classes, EMBEDDING_DIM)
        condition = Z_DIM + EMBEDDING_DIM
        self.seed = normalized(nn.Linear(condition, 16 * widths[0]))
        self.groups = nn.ModuleList(
            nn.ModuleList(
                [
                    ConvGRU(width),
                    GBlock(width, width, up=False),
                    GBlock(width, next_width, up=True),
                ]
            )
            for width, next_width in itertools.pairwise(widths)
        )
        self.norm = ConditionalNorm(widths[-1])
        self.head = conv(widths[-1], 3)

    def forward(self, z, y):
        """Draws videos for z [B, Z_DIM] and classes y [B]."""
        condition = torch.cat([z, self.embedding(y)], 1)
        x = self.seed(condition).view(len(z), 1, -1, 4, 4)
        x = fold_time(x.expand(-1, self.frames, -1, -1, -1))
        for recurrent, block, block_up in self.groups:
            x = recurrent(x, self.frames)
            x = block(x, condition, self.frames)
            x = block_up(x, condition, self.frames)
        x = F.relu(self.norm(x, condition, self.frames))
        return torch.tanh(self.head(x).float())


class DBlock(nn.Module):
    """Residual block of D_S or D_T."""

    def __init__(self, c_in, c_out, rank, first, last):
        super().__init__()
        self.first = first
        self.pool = F.avg_pool3d if rank == 3 else F.avg_pool2d
        if last:
            self.pool = None
        self.conv1 = conv(c_in, c_out, rank=rank)
        self.conv2 = conv(c_out, c_out, rank=rank)
        has_skip = self.pool or c_in != c_out
        self.skip = conv(c_in, c_out, 1, rank) if has_skip else None

    def forward(self, x):
        """Maps images [N, C, H, W] or clips [B, C, T, H, W]."""
        main = F.relu(self.conv1(x if self.first else F.relu(x)))
        main = self.conv2(main)
        if self.pool is None:
            return main + (self.skip(x) if self.skip else x)
        if self.first:
            return self.pool(main, 2) + self.skip(self.pool(x, 2))
        return self.pool(main + self.skip(x), 2)


class Discriminator(nn.Module):
    """D_S (no 3-D blocks) or D_T (two)."""

    def __init__(self, resolution, ch, classes, num_3d_blocks):
        super().__init__()
        widths = [3, *(ch * m for m in DISCRIMINATOR[resolution])]
        last = len(widths) - 2
        self.num_3d_blocks = num_3d_blocks
        self.blocks = nn.ModuleList(
            DBlock(*pair, 3 if i < num_3d_blocks else 2, i == 0, i == last)
            for i, pair in enumerate(itertools.pairwise(widths))
        )
        self.linear = normalized(nn.Linear(widths[-1], 1))
        self.embedding = normalized(nn.Embedding(classes, widths[-1]))

    def forward(self, videos, y):
        """Scores [B] of videos [B, T, 3, H, W] of classes y [B]."""
        if self.num_3d_blocks:
            x = videos.transpose(1, 2)
            x = x.contiguous(memory_format=torch.channels_last_3d)
        else:
            x = fold_time(videos)
        for i, block in enumerate(self.blocks):
            if 0 < i == self.num_3d_blocks:
                x = fold_time(x.transpose(1, 2))
            x = block(x)
        features = F.relu(x).float().sum((2, 3)).unflatten(0, (len(y), -1))
        scores = self.linear(features)[..., 0]
        scores = scores + (features * self.embedding(y)[:, None]).sum(2)
        return scores.sum(1)


class Trainer:
    """2 updates of D and one of G, with Adam."""

    def __init__(self, args):
        self.args = args
        sizes = (args.ch, args.num_classes)
        self.networks = [
            Generator(args.resolution, args.num_frames, *sizes),
            Discriminator(args.resolution, *sizes, num_3d_blocks=0),
            Discriminator(args.resolution, *sizes, num_3d_blocks=2),
        ]
        for network in self.networks:
            for module in network.modules():
                if isinstance(module, nn.Conv2d):
                    module.to(memory_format=torch.channels_last)
                elif isinstance(module, nn.Conv3d):
                    module.to(memory_format=torch.channels_last_3d)
        generator, *discriminators = self.networks
        d_parameters = [p for d in discriminators for p in d.parameters()]
        adam = dict(betas=(0.0, 0.999), eps=1e-8)
        self.optimizer_g = torch.optim.Adam(
            generator.parameters(), 1e-4, **adam
        )
        self.optimizer_d = torch.optim.Adam(d_parameters, 5e-4, **adam)
        self.d_parameters = d_parameters
        compiled = torch.compile if args.compile else lambda network: network
        self.generator, self.d_spatial, self.d_temporal = map(
            compiled, self.networks
        )

    def step(self, real, labels):
        """One step on videos [B, T, 3, H, W]; returns G's loss."""
        bfloat16 = self.args.precision == "bfloat16"
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            for _ in range(2):
                self._update_d(real, labels)
            return self._update_g()

    def _update_d(self, real, labels):
        with torch.no_grad():
            fake, y = self._sample()
        loss = 0.0
        videos, y = torch.cat([real, fake]), torch.cat([labels, y])
        for scores in self._scores(videos, y):
            on_real, on_fake = scores.chunk(2)
            loss = (
                loss + F.relu(1 - on_real).mean() + F.relu(1 + on_fake).mean()
            )
        self.optimizer_d.zero_grad()
        loss.backward()
        self.optimizer_d.step()

    def _update_g(self):
        # D's weights need no gradients here.
        for parameter in self.d_parameters:
            parameter.requires_grad_(False)
        fake, y = self._sample()
        loss = -sum(scores.mean() for scores in self._scores(fake, y))
        self.optimizer_g.zero_grad()
        loss.backward()
        self.optimizer_g.step()
        for parameter in self.d_parameters:
            parameter.requires_grad_(True)
        return loss.item()

    def _sample(self):
        args = self.args
        y = torch.randint(args.num_classes, (args.batch_size,))
        videos = self.generator(torch.randn(args.batch_size, Z_DIM), y)
        return videos.unflatten(0, (args.batch_size, args.num_frames)), y

    def _scores(self, videos, y):
        k = min(8, self.args.num_frames)
        drawn = torch.rand(videos.shape[:2]).topk(k).indices
        frames = videos[torch.arange(len(videos))[:, None], drawn]
        pooled = F.avg_pool2d(fold_time(videos), 2)
        pooled = pooled.unflatten(0, videos.shape[:2])
        return self.d_spatial(frames, y), self.d_temporal(pooled, y)


def main():
    """Builds, trains a few steps on noise, prints a JSON line."""
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    torch.set_flush_denormal(True)  # As TensorFlow does.
    trainer = Trainer(args)
    size = args.resolution
    shape = (args.batch_size, args.num_frames, 3, size, size)
    real = 2 * torch.rand(shape) - 1
    labels = torch.randint(args.num_classes, (args.batch_size,))
    times = []
    for i in range(args.steps + 1):
        if args.turns and i:  # As benchmark.py does.
            print("ready", flush=True)
            sys.stdin.readline()
        start = time.perf_counter()
        trainer.step(real, labels)
        times.append(time.perf_counter() - start)
    g, d_s, d_t = (
        sum(p.numel() for p in n.parameters()) for n in trainer.networks
    )
    result = {
        "torch": torch.__version__,
        **vars(args),
        "parameters": {
            "generator": g,
            "spatial_discriminator": d_s,
            "temporal_discriminator": d_t,
        },
        "first_step_s": times[0],
        "step_s": statistics.median(times[1:]),
        "step_min_s": min(times[1:]),
    }
    print(json.dumps(result))


def parse_arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--resolution", type=int, default=64, choices=GENERATOR)
    for name, default, text in (
        ("num_frames", 12, "T"),
        ("ch", 16, "width unit"),
        ("num_classes", 10, "classes"),
        ("batch_size", 4, "examples per update"),
        ("steps", 5, "steps timed, after the first"),
        ("threads", torch.get_num_threads(), "threads of PyTorch"),
    ):
        parser.add_argument(f"--{name}", type=int, default=default, help=text)
    parser.add_argument(
        "--precision", default="float32", choices=("float32", "bfloat16")
    )
    parser.add_argument("--compile", action="store_true", help="torch.compile")
    parser.add_argument(
        "--turns", action="store_true", help="for compare_torch.py"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
