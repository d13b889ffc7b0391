"""The networks have the published sizes and draw their weights as documented."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from experiments import architectures as nets
from experiments.initialisation import build, initialise

Make = Callable[[torch.Generator | None], nn.Module]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def parameters(model: nn.Module) -> int:
    return sum(tensor.numel() for tensor in model.parameters())


# name: builder, layers, prunable weights (None: not published), parameters (likewise).
# A: stored arrays of Synaptic-Flow at 9dfa57a; C: Global-One-shot-Pruning at e7c9590;
# LeNet: 784*300 + 300 + 300*100 + 100 + 100*10 + 10.
PUBLISHED: dict[str, tuple[Make, int, int | None, int | None]] = {
    "A vgg11 cifar10": (
        lambda g: nets.vgg_cifar(11, 10, generator=g), 9, 9_222_848, None
    ),
    "A vgg16 cifar100": (
        lambda g: nets.vgg_cifar(16, 100, generator=g), 14, 14_761_664, None
    ),
    "A vgg19 imagenet": (
        lambda g: nets.vgg_imagenet(19, generator=g), 19, 143_652_544, None
    ),
    "B lenet": (
        lambda g: nets.lenet_300_100(generator=g), 3, 266_200, 266_610
    ),
    "C fc5 cifar10": (lambda g: nets.fc5(generator=g), 5, 3_883_000, 3_885_010),
    "C fc5 mnist": (
        lambda g: nets.fc5(inputs=784, generator=g), 5, 1_595_000, 1_597_010
    ),
    "C fc12": (lambda g: nets.fc12(generator=g), 12, 7_263_000, 7_269_610),
    "C alexnet": (lambda g: nets.alexnet(generator=g), 8, 46_778_400, 46_787_978),
    "C vgg16": (
        lambda g: nets.vgg_cifar(16, 10, generator=g), 14, 14_715_584, 14_728_266
    ),
    "C resnet18": (
        lambda g: nets.resnet_cifar(18, 100, generator=g), 21, 11_210_432, 11_220_132
    ),
    "C resnet50": (
        lambda g: nets.resnet_cifar(50, 100, generator=g), 54, 23_652_032, 23_705_252
    ),
}  # fmt: skip

ALL: dict[str, tuple[Make, tuple[int, ...]]] = {
    "vgg11": (lambda g: nets.vgg_cifar(11, 10, generator=g), (3, 32, 32)),
    "vgg16": (lambda g: nets.vgg_cifar(16, 10, generator=g), (3, 32, 32)),
    "vgg19": (lambda g: nets.vgg_cifar(19, 10, generator=g), (3, 32, 32)),
    "vgg19 imagenet": (lambda g: nets.vgg_imagenet(19, 10, generator=g), (3, 224, 224)),
    "small_vgg": (lambda g: nets.small_vgg(bias=True, generator=g), (1, 8, 8)),
    "resnet18 imagenet": (
        lambda g: nets.resnet_imagenet(18, 10, generator=g), (3, 224, 224)
    ),
    "resnet50 imagenet": (
        lambda g: nets.resnet_imagenet(50, 10, generator=g), (3, 224, 224)
    ),
    "resnet18": (lambda g: nets.resnet_cifar(18, 10, generator=g), (3, 32, 32)),
    "resnet50": (lambda g: nets.resnet_cifar(50, 10, generator=g), (3, 32, 32)),
    "wide_resnet18": (lambda g: nets.wide_resnet18(10, generator=g), (3, 32, 32)),
    "resnet20": (lambda g: nets.resnet20(generator=g), (3, 32, 32)),
    "lenet": (lambda g: nets.lenet_300_100(generator=g), (1, 28, 28)),
    "fc5": (lambda g: nets.fc5(generator=g), (3, 32, 32)),
    "fc12": (lambda g: nets.fc12(inputs=784, generator=g), (1, 28, 28)),
    "alexnet": (lambda g: nets.alexnet(generator=g), (3, 32, 32)),
}  # fmt: skip

DRAWN = [name for name in ALL if name not in ("vgg19 imagenet", "alexnet")]


@pytest.mark.parametrize("name", PUBLISHED)
def test_counts_are_the_published_ones(name: str) -> None:
    make, layers, weights, total = PUBLISHED[name]
    model = make(None)
    counts = nets.prunable_weights(model)
    assert (len(counts), sum(counts.values())) == (layers, weights)
    assert total is None or parameters(model) == total


def test_layers_of_vgg19_imagenet_are_named_and_sized_as_published() -> None:
    # Synaptic-Flow, Results/data/imagenet_vgg19_init, input to output
    published = {
        "features.0": 1728, "features.2": 36864, "features.5": 73728,
        "features.7": 147456, "features.10": 294912, "features.12": 589824,
        "features.14": 589824, "features.16": 589824, "features.19": 1179648,
        "features.21": 2359296, "features.23": 2359296, "features.25": 2359296,
        "features.28": 2359296, "features.30": 2359296, "features.32": 2359296,
        "features.34": 2359296, "classifier.0": 102760448, "classifier.3": 16777216,
        "classifier.6": 4096000,
    }  # fmt: skip
    counts = nets.prunable_weights(nets.vgg_imagenet(19, generator=None))
    assert list(counts.items()) == [(f"{k}.weight", v) for k, v in published.items()]


def test_rounded_counts_of_paper_b() -> None:
    resnet = nets.resnet20(generator=None)
    statistics = sum(b.numel() for b in resnet.buffers() if b.dim() == 1)
    assert parameters(resnet) + statistics == 274_042  # printed as 274K
    vgg = nets.vgg_cifar(19, 10, generator=None)
    assert len(nets.prunable_weights(vgg)) == 17  # the layers of A's figure 5b
    assert round(parameters(vgg), -5) == 20_000_000  # printed as 20.0M
    resnet50 = nets.resnet_imagenet(50, generator=None)
    assert round(parameters(resnet50), -5) in (25_500_000, 25_600_000)  # 25.5M


def test_wide_resnet_doubles_every_width() -> None:
    narrow = dict(nets.resnet_cifar(18, 10, generator=None).named_parameters())
    wide = dict(nets.wide_resnet18(10, generator=None).named_parameters())
    assert narrow.keys() == wide.keys()
    for name, tensor in narrow.items():
        doubled = [size if size in (3, 1, 10) else 2 * size for size in tensor.shape]
        assert list(wide[name].shape) == doubled, name


@pytest.mark.parametrize(
    ("name", "last_map"),
    [
        ("vgg16", 2),
        ("resnet18", 4),
        ("resnet50", 4),
        ("wide_resnet18", 4),
        ("resnet20", 8),
    ],
)
def test_size_of_the_last_feature_map(name: str, last_map: int) -> None:
    make, shape = ALL[name]
    model, sizes = make(None), []
    (pool,) = [m for m in model.modules() if isinstance(m, nn.AdaptiveAvgPool2d)]
    pool.register_forward_pre_hook(lambda _, args: sizes.append(args[0].shape[2:]))
    model(torch.empty(2, *shape, device="meta"))
    assert sizes == [(last_map, last_map)]


def test_only_weights_of_convolutions_and_linear_layers_are_prunable() -> None:
    model = nets.vgg_cifar(11, 10, generator=None)
    shapes = dict(model.named_parameters())
    for name in nets.prunable_weights(model):
        assert name.endswith(".weight")
        assert shapes[name].dim() in (2, 4)


@pytest.mark.parametrize("name", ALL)
def test_every_network_is_traceable_and_maps_an_image_to_logits(name: str) -> None:
    make, shape = ALL[name]
    model = make(None)
    assert isinstance(list(model.modules())[-1], nn.Linear)
    traced = torch.fx.symbolic_trace(model)
    assert traced(torch.empty(2, *shape, device="meta")).shape == (2, 10)


@pytest.mark.parametrize("name", DRAWN)
def test_a_seed_gives_the_same_finite_weights_and_no_global_draw(name: str) -> None:
    make, _ = ALL[name]
    before = torch.get_rng_state()
    first, second, other = make(seeded()), make(seeded()), make(seeded(1))
    assert torch.equal(torch.get_rng_state(), before)
    for key, tensor in first.state_dict().items():
        assert tensor.device.type == "cpu"
        assert torch.isfinite(tensor).all(), key
        assert torch.equal(tensor, second.state_dict()[key]), key
    for key in nets.prunable_weights(first):
        assert not torch.equal(first.state_dict()[key], other.state_dict()[key]), key


def test_batch_norm_starts_as_the_identity() -> None:
    for module in nets.resnet20(generator=seeded()).modules():
        if isinstance(module, nn.BatchNorm2d):
            assert torch.equal(module.weight, torch.ones_like(module.weight))
            assert torch.equal(module.bias, torch.zeros_like(module.bias))
            assert module.running_mean is not None and not module.running_mean.any()
            assert module.running_var is not None and module.running_var.eq(1).all()
            assert module.num_batches_tracked == 0


# layer, standard deviation of its weights as the scheme's source states it
def conv_and_linear() -> nn.Module:
    return nn.Sequential(nn.Conv2d(64, 128, 3), nn.Linear(500, 200))


@pytest.mark.parametrize(
    ("scheme", "conv", "linear"),
    [
        ("vgg", math.sqrt(2 / (128 * 9)), 0.01),
        ("resnet", math.sqrt(2 / (128 * 9)), 1 / math.sqrt(3 * 500)),
        ("kaiming", math.sqrt(2 / (64 * 9)), math.sqrt(2 / 500)),
        ("glorot", math.sqrt(2 / ((64 + 128) * 9)), math.sqrt(2 / 700)),
    ],
)
def test_variances_are_the_documented_ones(
    scheme: str, conv: float, linear: float
) -> None:
    model = build(conv_and_linear, scheme, seeded())  # type: ignore[arg-type]
    assert isinstance(model, nn.Sequential)
    for layer, expected in zip(model, (conv, linear), strict=True):
        weight = layer.weight.detach().double().flatten()
        # z-scores of mean and variance (normal weights; uniform ones vary less): 16
        # comparisons, 5 standard errors each, false alarm below 1e-5
        error = math.sqrt(2 / weight.numel())
        assert abs(weight.square().mean() / expected**2 - 1) < 5 * error
        assert abs(weight.mean()) < 5 * expected / math.sqrt(weight.numel())
    uniform = scheme == "resnet"
    assert bool(model[1].bias.any()) is uniform
    assert not model[0].bias.any()
    assert (model[1].weight.abs().max() < math.sqrt(1 / 500)) or not uniform


def test_relu_leaves_its_input_alone() -> None:
    for make, _ in ALL.values():
        relus = [m for m in make(None).modules() if isinstance(m, nn.ReLU)]
        assert relus and not any(relu.inplace for relu in relus)


def test_small_vgg_has_biases_only_when_asked() -> None:
    sizes = [144, 4608, 18432, 36864, 2560]
    for bias in (True, False):
        model = nets.small_vgg(bias=bias, generator=None)
        assert list(nets.prunable_weights(model).values()) == sizes
        assert parameters(model) == sum(sizes) + bias * (16 + 32 + 64 + 64 + 10)


def test_bad_depth_scheme_and_layer_are_named() -> None:
    with pytest.raises(ValueError, match=r"VGG comes in depths \(11, 16, 19\), got 13"):
        nets.vgg_cifar(13, 10, generator=None)
    with pytest.raises(ValueError, match=r"VGG .* got 12"):
        nets.vgg_imagenet(12, generator=None)
    with pytest.raises(ValueError, match=r"ResNet .* got 20"):
        nets.resnet_cifar(20, 10, generator=None)
    with pytest.raises(ValueError, match=r"ResNet .* got 34"):
        nets.resnet_imagenet(34, generator=None)
    with pytest.raises(ValueError, match="scheme must be one of"):
        initialise(nn.Linear(2, 2), "he", generator=seeded())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'1' is a LayerNorm"):
        model = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))
        initialise(model, "vgg", generator=seeded())
